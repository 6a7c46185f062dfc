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
PRODUCTS, SKIPPING = ("dense", "split"), ("event", "skip")  # on the tensor cores; for spikes that are there
FORMS = ("auto", *PRODUCTS, "warpgroup", *SKIPPING)
TILED = ("dense:4", "dense:8", "warpgroup:4", "warpgroup:8", "split:1", "split:2", "split:4", "skip:8", "skip:16", "skip:32", "skip:64", "skip:128", "event")


@dataclasses.dataclass
class Measurement:
    about: str
    program: str  # bench_cuda and the like; *.py: with a Python that has PyTorch
    words: typing.Callable[[bool], list]  # of a rehearsal, or in earnest
    targets: tuple = ("bench_cuda",)
    least: int = 150  # seconds: NVRTC takes two minutes for a ResNet-18 of dense kernels
    most: int = 300


def resnet18(form, batches, rate, toy_net="layer"):
    def words(toy):
        if toy:  # the emulated driver takes seconds for what a GPU does in microseconds
            shape, batches_here = [f"--net={toy_net}", "--width=4", "--size=4", "--channels=8", "--out=8", "--repeats=1", "--seconds=0"], batches[:2]
        else:
            shape, batches_here = ["--width=64", "--size=32", "--repeats=50", "--seconds=3"], batches
        return [*shape, f"--timesteps={T}", f"--form={form}", f"--batch={','.join(str(min(b, 2) if toy else b) for b in batches_here)}", f"--rate={rate}"]
    return words


def pytorch(kind):
    def words(toy):
        shape = ["--device=cpu", "--width=8", "--size=8", "--batch=2", "--repeats=1"] if toy else [f"--batch={BATCH}", "--repeats=30", "--seconds=150"]
        return [kind, f"--timesteps={T}", "--dtype=bfloat16", *shape]
    return words


MEASUREMENTS = {
    "throughput": Measurement(f"ResNet-18 (CIFAR), T = {T}, batch {BATCH}", "bench_cuda", resnet18("auto", [BATCH], RATE, "resnet18")),
    "dense-layers": Measurement("the same in the dense form, by mma and by wgmma, launch by launch", "bench_cuda", resnet18("dense,warpgroup", [BATCH], RATE)),
    "latency": Measurement("the same, one image", "bench_cuda", resnet18("auto", [1], RATE)),
    "zero-skipping": Measurement("kernels that skip zeros and dense ones at a rate of 5 %, batches 1 to 8", "bench_cuda", resnet18(",".join(SKIPPING + PRODUCTS), [1, 2, 4, 8], 5)),
    "pytorch-snn": Measurement("the same SNN in PyTorch", "gpu_inference.py", pytorch("snn"), (), 180, 240),
    "pytorch-ann": Measurement("its ANN twin in PyTorch", "gpu_inference.py", pytorch("ann"), (), 180, 240),
    "neuron-kernels": Measurement("the trainer's fused neuron, and normalisation with it, beside PyTorch's own operations", "bench_train_kernels",
                                  lambda toy: [] if toy else ["--device=cuda", "--runs=50"], ("bench_train_kernels",), 60),
    "kernels": Measurement("every kernel with every tile count for every layer, for backends/cuda/measured.inc", "bench_cuda", 
                           lambda toy: resnet18(",".join(TILED[::5] if toy else TILED), [1, 8, BATCH], RATE)(toy), least=250, most=450),
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


def objects(text):
    """The JSON objects in what a program printed, each beginning a line."""
    found, at = [], 0
    while at < len(text):
        if text[at] == "{":
            one, at = json.JSONDecoder().raw_decode(text, at)
            found.append(one)
        at = text.find("\n", at) + 1 or len(text)
    return found


recorded = None  # results that scripts/gpu-check brought back: name -> lines of JSON


@functools.cache
def run(name):
    words = list(map(str, command(name, BIN, sys.executable)))
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"bench: {' '.join(words)} failed:\n{done.stderr}")
    return objects(done.stdout)


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


def largest_layers(form):
    """Launches of that kernel that have at least 0.9 times the most multiplications."""
    launches = [launch for launch in of("dense-layers", form)["launches"] if launch["kernel"] == form]
    most = max(launch["macs"] for launch in launches)
    return [launch for launch in launches if launch["macs"] >= 0.9 * most]


def share_of_bound(form):
    """Percent: the time that the tensor cores need at least for the largest layers, over the time taken."""
    layers = largest_layers(form)
    if any(launch["bound_us"] is None for launch in layers):
        raise KeyError("the GPU is not in bench_cuda's table of peaks")
    return 100 * sum(launch["bound_us"] for launch in layers) / sum(launch["us"] for launch in layers)


def time_us(form, batch):
    """Of the layers that spikes go into, which every form computes."""
    computed = lambda kernel: {launch["name"] for launch in of("zero-skipping", kernel, batch)["launches"] if launch["kernel"] == kernel}
    names = set.intersection(*map(computed, PRODUCTS + SKIPPING))
    return sum(launch["us"] for launch in of("zero-skipping", form, batch)["launches"] if launch["name"] in names)


def skipping():
    """By batch: the faster dense kernel's time over the faster skipping one's."""
    return {batch: min(time_us(form, batch) for form in PRODUCTS) / min(time_us(form, batch) for form in SKIPPING)
            for batch in sorted({line["batch"] for line in lines("zero-skipping")})}


def neuron(timesteps, what="neuron", kind="bfloat16"):
    """The line of bench_train_kernels."""
    return next(r for r in last("neuron-kernels")["results"] if (r["T"], r["what"], r["type"]) == (timesteps, what, kind))


def measured_inc():
    """Lines of backends/cuda/measured.inc: of every layer the fastest kernel that was timed."""
    fastest = {}
    for line in lines("kernels"):
        for launch in line["launches"]:
            key = (line["code"], launch["features"])
            if launch["features"] and (key not in fastest or launch["us"] < fastest[key]["us"]):
                fastest[key] = launch
    return "".join(f'MEASURED("{code}", "{features}", "{launch["kernel"]}", {launch["tiles"]}, {launch["us"]:.2f})\n' for (code, features), launch in fastest.items())


CASES = [
    Case(f"ResNet-18 (CIFAR), T = {T}, int8, batch {BATCH}: images/s over the same SNN in PyTorch, bf16, its fastest mode", "×", "higher", 10, 25, lambda: over_pytorch("snn")),
    Case("the same over its own ANN twin in PyTorch, bf16, its fastest mode", "×", "higher", 1, 2, lambda: over_pytorch("ann")),
    Case("share of the int8 tensor-core bound, dense form, largest layers", "%", "higher", 50, 70,
         lambda: max(share_of_bound("dense"), share_of_bound("warpgroup")), digits=1),
    Case(f"latency of one image, ResNet-18, T = {T}, one graph launch", "µs", "lower", 250, 120, lambda: of("latency")["graph_us"], digits=1),
    Case("kernels that skip zeros over dense ones at a rate of 5 %, the fastest of each, the least over batches 1 to 8", "×", "higher", 1.5, 3, lambda: min(skipping().values())),
    Case("fused LIF, forward and backward, over PyTorch's operations: T = 4, bf16", "×", "higher", 3, None, lambda: neuron(4)["speedup"]),
    Case("the same, T = 16", "×", "higher", 8, None, lambda: neuron(16)["speedup"]),
    Case("the same: its bytes a second over those of a copy, the lesser of T = 4 and 16", "%", "higher", None, 70, lambda: 100 * min(neuron(t)["share_of_copy"] for t in (4, 16)), digits=1),
    Case("normalisation and fused LIF in one operation over PyTorch's: T = 4, bf16", "×", "higher", None, None, lambda: neuron(4, "normalisation and neuron")["speedup"]),
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
    for form in ("dense", "warpgroup") if have("dense-layers") else ():
        line = of("dense-layers", form)
        text += [f"Launches with `{form}` wherever it can compute them, batch {line['batch']}, rates near {line['rate']:.1%}, on {line['device']} ({line['code']}). The int8 bound is "
                 f"{line['peak_int8_tops']} TOPS, that of bytes {line['peak_tb_per_s']} TB/s: {line['peak_source']}.", "",
                 "| layer | kernel | µs | int8 bound, µs | share | bytes' bound, µs |", "|---|---|---:|---:|---:|---:|", *rows_of_launches(line), ""]
    for kind in ("snn", "ann"):
        if have(f"pytorch-{kind}"):
            found = last(f"pytorch-{kind}")
            modes = ", ".join(f"{mode} {m['images_per_s']:.0f}" if "us" in m else f"{mode}: {m.get('skipped') or m.get('failed')}" for mode, m in found["modes"].items())
            text += [f"PyTorch {found['torch']}, {kind.upper()}, {found['dtype']}, images/s by mode (scripts/lib/peers/gpu_inference.py says what they are): {modes}.", ""]
    if have("zero-skipping"):
        text += ["Kernels that skip zeros over dense ones by batch: " + ", ".join(f"{batch}: {ratio:.2f} ×" for batch, ratio in skipping().items()) + ".", ""]
    return "\n".join(text)
