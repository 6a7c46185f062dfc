"""On a GPU: our runtime beside PyTorch on the same machine, times by CUDA events, medians, random weights and images.

MEASUREMENTS is the one list of what is run; scripts/bench runs it here, scripts/gpu-check a step each on a lent machine. CASES are made of it."""
import dataclasses
import functools
import json
import os
import shutil
import subprocess
import sys
import typing

from bench import BIN, Case
import results

TITLE = "CUDA: inference and training kernels beside PyTorch on one GPU"
NEEDS = ("micro-benchmarks",)
PEERS = results.ROOT / "scripts/lib/peers"
T, BATCH, RATE = 4, 512, 10


@dataclasses.dataclass
class Measurement:
    about: str
    program: str  # bench_cuda and the like; *.py: with a Python that has PyTorch
    words: typing.Callable[[bool], list]  # of a rehearsal, or in earnest
    targets: tuple = ("bench_cuda",)
    least: int = 60  # seconds
    most: int = 240


def resnet18(form, batches, rate):
    def words(toy):
        shape = ["--width=4", "--size=4", "--repeats=1", "--seconds=0"] if toy else ["--width=64", "--size=32", "--repeats=50", "--seconds=3"]
        batch = ",".join(str(min(b, 2) if toy else b) for b in batches[:2 if toy else None])
        return [*shape, f"--timesteps={T}", f"--form={form}", f"--batch={batch}", f"--rate={rate}"]
    return words


def pytorch(kind):
    def words(toy):
        shape = ["--device=cpu", "--width=8", "--size=8", "--batch=2", "--repeats=1"] if toy else [f"--batch={BATCH}", "--repeats=30", "--seconds=200"]
        return [kind, f"--timesteps={T}", "--dtype=bfloat16", *shape]
    return words


MEASUREMENTS = {
    "throughput": Measurement(f"ResNet-18 (CIFAR), T = {T}, batch {BATCH}", "bench_cuda", resnet18("auto", [BATCH], RATE)),
    "dense-layers": Measurement("the same in the dense form, launch by launch", "bench_cuda", resnet18("dense", [BATCH], RATE)),
    "latency": Measurement("the same, one image", "bench_cuda", resnet18("auto", [1], RATE)),
    "zero-skipping": Measurement("event form and dense form at a rate of 5 %, batches 1 to 8", "bench_cuda", resnet18("event,dense", [1, 2, 4, 8], 5)),
    "pytorch-snn": Measurement("the same SNN in PyTorch", "gpu_inference.py", pytorch("snn"), (), 90, 300),
    "pytorch-ann": Measurement("its ANN twin in PyTorch", "gpu_inference.py", pytorch("ann"), (), 90, 300),
}


def command(name, folder, python, toy=False):
    m = MEASUREMENTS[name]
    return [*([python, PEERS / m.program] if m.program.endswith(".py") else [folder / m.program]), *m.words(toy)]


def missing():
    """What this machine lacks, "" for nothing. Asked before anything is built."""
    if os.environ.get("LASNN_CUDA_DRIVER"):
        return "LASNN_CUDA_DRIVER is set: figures of an emulated driver mean nothing; unset it"
    if not shutil.which("nvidia-smi") or subprocess.run(["nvidia-smi", "-L"], capture_output=True).returncode:
        return "no GPU (nvidia-smi -L finds none); scripts/gpu-check --toy rehearses without one"
    if subprocess.run([sys.executable, "-c", "import torch; assert torch.cuda.is_available()"], capture_output=True).returncode:
        return f"{sys.executable} has no PyTorch that sees the GPU"
    return ""


recorded = None  # results that scripts/gpu-check brought back: name -> lines of JSON


@functools.cache
def run(name):
    words = list(map(str, command(name, BIN, sys.executable)))
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"bench: {' '.join(words)} failed:\n{done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def lines(name):
    """KeyError where it was not measured."""
    return recorded[name] if recorded is not None else run(name)


def of(name, form="auto", batch=None):
    """The line of bench_cuda for a form and a batch."""
    return next(line for line in lines(name) if line["form"] == form and batch in (None, line["batch"]))


def last(name):
    return lines(name)[-1]


def over_pytorch(kind):
    return of("throughput")["device_images_per_s"] / last(f"pytorch-{kind}")["images_per_s"]


def largest_layers():
    """Launches of the dense form that have at least 0.9 times the most multiplications."""
    launches = [launch for launch in of("dense-layers", "dense")["launches"] if launch["kernel"].startswith("dense")]
    most = max(launch["macs"] for launch in launches)
    return [launch for launch in launches if launch["macs"] >= 0.9 * most]


def share_of_bound():
    """Percent: the time that the tensor cores need at least for the largest layers, over the time taken."""
    layers = largest_layers()
    if any(launch["bound_us"] is None for launch in layers):
        raise KeyError("the GPU is not in bench_cuda's table of peaks")
    return 100 * sum(launch["bound_us"] for launch in layers) / sum(launch["us"] for launch in layers)


def skipping():
    """Dense over event, in the layers that both forms compute, per batch."""
    both = {}
    for batch in sorted({line["batch"] for line in lines("zero-skipping")}):
        dense, event = of("zero-skipping", "dense", batch), of("zero-skipping", "event", batch)
        names = {launch["name"] for launch in dense["launches"] if launch["kernel"].startswith("dense")}
        total = lambda line: sum(launch["us"] for launch in line["launches"] if launch["name"] in names)
        both[batch] = total(dense) / total(event)
    return both


CASES = [
    Case(f"ResNet-18 (CIFAR), T = {T}, int8, batch {BATCH}: images/s over the same SNN in PyTorch, bf16, its fastest mode", "×", "higher", 10, 25, lambda: over_pytorch("snn")),
    Case("the same over its own ANN twin in PyTorch, bf16, its fastest mode", "×", "higher", 1, 2, lambda: over_pytorch("ann")),
    Case("share of the int8 tensor-core bound, dense form, largest layers", "%", "higher", 50, 70, share_of_bound, digits=1),
    Case(f"latency of one image, ResNet-18, T = {T}, one graph launch", "µs", "lower", 250, 120, lambda: of("latency")["graph_us"], digits=1),
    Case("zero-skipping form over dense form at a rate of 5 %, the least over batches 1 to 8", "×", "higher", 1.5, 3, lambda: min(skipping().values())),
    Case("ours: images/s, device time", "images/s", "higher", None, None, lambda: of("throughput")["device_images_per_s"], digits=0),
    Case("ours: images/s with copies from and to host memory", "images/s", "higher", None, None, lambda: of("throughput")["images_per_s"], digits=0),
    Case("ours: one image with its copies, lasnn_cuda_run, p50", "µs", "lower", None, None, lambda: of("latency")["run_us"], digits=1),
    Case("PyTorch, SNN: images/s", "images/s", "higher", None, None, lambda: last("pytorch-snn")["images_per_s"], digits=0),
    Case("PyTorch, ANN: images/s", "images/s", "higher", None, None, lambda: last("pytorch-ann")["images_per_s"], digits=0),
]


def rows_of_launches(line):
    number = lambda value: "–" if value is None else f"{value:.1f}"
    share = lambda launch: "–" if launch["bound_us"] is None or not launch["us"] else f"{100 * launch['bound_us'] / launch['us']:.0f} %"
    return [f"| {launch['name']} | {launch['kernel']} | {number(launch['us'])} | {number(launch['bound_us'])} | {share(launch)} | {number(launch['bytes_us'])} |" for launch in line["launches"]]


def appendix():
    """What lies behind the table, as far as it was measured."""
    text = []
    have = lambda name: recorded is None or name in recorded
    if have("dense-layers"):
        line = of("dense-layers", "dense")
        text += [f"Launches of the dense form, batch {line['batch']}, rates near {line['rate']:.1%}, on {line['device']} ({line['code']}). The int8 bound is "
                 f"{line['peak_int8_tops']} TOPS, that of bytes {line['peak_tb_per_s']} TB/s: {line['peak_source']}.", "",
                 "| layer | kernel | µs | int8 bound, µs | share | bytes' bound, µs |", "|---|---|---:|---:|---:|---:|", *rows_of_launches(line), ""]
    for kind in ("snn", "ann"):
        if have(f"pytorch-{kind}"):
            found = last(f"pytorch-{kind}")
            modes = ", ".join(f"{mode} {m['images_per_s']:.0f}" if "us" in m else f"{mode}: {m.get('skipped') or m.get('failed')}" for mode, m in found["modes"].items())
            text += [f"PyTorch {found['torch']}, {kind.upper()}, {found['dtype']}, images/s by mode (scripts/lib/peers/gpu_inference.py says what they are): {modes}.", ""]
    if have("zero-skipping"):
        text += ["Event form over dense form by batch: " + ", ".join(f"{batch}: {ratio:.2f} ×" for batch, ratio in skipping().items()) + ".", ""]
    return "\n".join(text)
