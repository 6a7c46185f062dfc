"""The whole way, from training to native code, on the quickstart's network."""
import functools
import pathlib
import statistics
import subprocess
import tempfile

from bench import BIN, QUICKSTART, Case, cost, tool
import results

TITLE = "Foundation: Fashion-MNIST from training to native x86"


@functools.cache
def summary():
    return results.load(QUICKSTART / "summary.json")


@functools.cache
def latencies():
    """Median microseconds an image of (float student in LibTorch, int8 native), three rounds in turn on one core."""
    data = f"--data=fashion-mnist:{summary()['data']}"
    rounds = [(tool("lasnn-distill", "eval", QUICKSTART / "student.pt", data, "--limit=500", "--latency=500", "--threads=1", "--json")["latency_us"]["p50"],
               tool("lasnn-run", QUICKSTART / "student-int8.lasnn", data, "--limit=2000", "--device=x86", "--threads=1", "--json")["latency_us"]["p50"])
              for _ in range(3)]
    return tuple(statistics.median(column) for column in zip(*rounds))


@functools.cache
def compiling():
    with tempfile.TemporaryDirectory() as folder:
        return cost("lasnn-compile", QUICKSTART / "student.onnx", "-o", pathlib.Path(folder, "s.lasnn"), "--target=x86", "--weights=int8")


@functools.cache
def layer_cases():
    """Synaptic operations a cycle of single layers, by the names that bench_runtime_layers gives them."""
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        subprocess.run([BIN / "bench_runtime_layers", "--isa=avx512", f"--json={file.name}"], check=True, stdout=subprocess.DEVNULL)
        return {case["case"]: case["synops_per_cycle"] for case in results.load(file.name)["results"]}


def synops_per_cycle(layer):
    """0 where this CPU has no AVX-512."""
    return layer_cases().get(f"avx512 {layer}", 0)


def stripped_size():
    with tempfile.NamedTemporaryFile() as file:
        library = (results.ROOT / "build/release/runtime/liblasnn.so").resolve()
        subprocess.run(["strip", "--strip-unneeded", "-o", file.name, library], check=True)
        return pathlib.Path(file.name).stat().st_size / 1000


CASES = [
    Case("teacher, top-1", "%", "higher", 91, None, lambda: summary()["teacher_top1"]),
    Case("student, float, T = 4, top-1", "%", "higher", 89, None, lambda: summary()["student_top1"]),
    Case("accuracy lost from float to int8", "points", "lower", 0.3, None, lambda: summary()["student_top1"] - summary()["int8_top1"]),
    Case("devices with equal digests over 10 000 images", "share", "higher", 1, None, lambda: float(summary()["digests_equal"])),
    Case("x86, batch 1, one core: speed-up over the same student in LibTorch", "×", "higher", 10, None, lambda: latencies()[0] / latencies()[1]),
    Case("x86, batch 1, one core: latency of one image, p50", "µs", "lower", None, None, lambda: latencies()[1]),
    Case("synaptic operations a cycle, 128×16×16→128, int8, 10 % spikes, AVX-512", "1/cycle", "higher", 20, 31,
         lambda: synops_per_cycle("128x16x16->128 3x3 w8 10%")),
    Case("synaptic operations a cycle, the same layer with int7 weights", "1/cycle", "higher", None, None,
         lambda: synops_per_cycle("128x16x16->128 3x3 w7 10%")),
    Case("lasnn-compile without calibration", "s", "lower", 1, None, lambda: compiling()[0]),
    Case("lasnn-compile, peak memory", "MB", "lower", 300, None, lambda: compiling()[1], digits=0),
    Case("runtime library, stripped", "kB", "lower", 300, None, stripped_size, digits=0),
    Case("quickstart: train + compile + run", "s", "lower", 360, None, lambda: sum(summary()["seconds"][step] for step in ("train", "compile", "run")), digits=0),
]
