"""Training speed and memory beside SpikingJelly and snnTorch: same network, batch, torch, optimizer, loss, float32, two threads."""
import atexit
import functools
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile

from bench import BIN, Case
import results

TITLE = "Training: images a second and memory, beside SpikingJelly and snnTorch"
NEEDS = ("lasnn-distill", "peers")

PEERS = results.ROOT / "scripts/lib/peers"
PYTHON = results.ROOT / "out/bench/venv/bin/python3"
STEPS, ROUNDS, BATCH, T = (int(os.environ.get(f"LASNN_BENCH_{name}", default)) for name, default in (("STEPS", 20), ("ROUNDS", 3), ("BATCH", 64), ("T", 4)))
LARGE_BATCH, LARGE_STEPS = (int(os.environ.get(f"LASNN_BENCH_{name}", default)) for name, default in (("LARGE_BATCH", 128), ("LARGE_STEPS", 2)))


def conv(name, *sizes, **more):
    return {"name": name, "conv": list(sizes), **more}


# Six layers as CIFAR-10 students have them: 0.30 M parameters.
SMALL = {"name": "bench-small", "nodes": [
    conv("conv1", 32, 3, 1, 1), conv("conv2", 64, 3, 2, 1), conv("conv3", 64, 3, 1, 1), conv("conv4", 128, 3, 2, 1), conv("conv5", 128, 3, 1, 1),
    {"name": "pool", "avgpool": 2}, {"name": "fc", "linear": 0, "readout": True}]}


def resnet18():
    """He et al. 2016 with the CIFAR stem; a block's currents are added before its second neuron."""
    nodes, before, channels = [conv("conv1", 64, 3, 1, 1)], "conv1", 64
    for stage, width in enumerate((64, 128, 256, 512), start=1):
        for block in range(2):
            stride = 2 if stage > 1 and block == 0 else 1
            at = f"s{stage}b{block}"
            shortcut = conv(f"{at}.short", width, 1, stride, 0) if stride > 1 else {"name": f"{at}.short", "identity": [width, 1]}
            nodes += [conv(f"{at}.conv1", width, 3, stride, 1), conv(f"{at}.conv2", width, 3, 1, 1, shortcut={**shortcut, "from": before})]
            before, channels = f"{at}.conv2", width
    return {"name": "bench-resnet18", "nodes": nodes + [{"name": "pool", "avgpool": 4}, {"name": "fc", "linear": 0, "readout": True}]}


@functools.cache
def folder():
    """Architectures, and random images in CIFAR-10's form: speed does not depend on what they show."""
    made = tempfile.TemporaryDirectory()
    atexit.register(made.cleanup)
    path = pathlib.Path(made.name)
    (path / "small.json").write_text(json.dumps(SMALL))
    (path / "resnet18.json").write_text(json.dumps(resnet18()))
    random.seed(1)
    count = max(STEPS * BATCH, LARGE_STEPS * LARGE_BATCH)
    record = lambda: bytes([random.randrange(10)]) + random.randbytes(3072)
    (path / "data_batch_1.bin").write_bytes(b"".join(record() for _ in range(count)))
    for name in ("data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5"):
        (path / f"{name}.bin").write_bytes(b"")
    (path / "test_batch.bin").write_bytes(b"".join(record() for _ in range(100)))
    return path


def measured(command):
    """The JSON that a command prints, and its peak memory in MB."""
    child = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    out, message = child.stdout.read(), child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"bench: {' '.join(map(str, command))} failed:\n{message}")
    return json.loads(out.strip().splitlines()[-1]), usage.ru_maxrss * 1024 / 1e6


def ours(arch, steps, batch, *flags, epochs=2):
    """The last epoch's images a second; the first one warms up."""
    path = folder()
    return measured([BIN / "lasnn-distill", "student", f"--data=cifar10:{path}", f"--arch={path / arch}", "--no-distill", "--init=random", f"--epochs={epochs}",
                     f"--batch={batch}", f"--limit={steps * batch}", f"--timesteps={T}", "--optimizer=sgd", "--lr=0.01", "--momentum=0.9", "--weight-decay=0.0005",
                     "--schedule=constant", "--warmup=0", "--neuron=lif", "--beta=0.5", "--reset=zero", "--surrogate=arctan", "--augment=none", *flags,
                     "-o", path / "student.pt", "--json"])


def theirs(framework, arch, steps, batch, *flags):
    return measured([PYTHON, PEERS / "training.py", framework, folder() / arch, f"--steps={steps}", f"--batch={batch}", f"--timesteps={T}", *flags])


LAST = "--channels-last"
CONTESTANTS = {
    "workers": lambda *flags: ours("small.json", STEPS, BATCH, "--workers=2", *flags)[0]["train_images_per_s"],
    "spikingjelly": lambda *flags: theirs("spikingjelly", "small.json", STEPS + 2, BATCH, *flags)[0]["images_per_s"],
    "threads": lambda *flags: ours("small.json", STEPS, BATCH, "--threads=2", *flags)[0]["train_images_per_s"],
    "snntorch": lambda *flags: theirs("snntorch", "small.json", STEPS + 2, BATCH, *flags)[0]["images_per_s"],
    "bf16": lambda *flags: ours("small.json", STEPS, BATCH, "--workers=2", "--bf16", *flags)[0]["train_images_per_s"],
}


@functools.cache
def speed():
    """Medians over rounds in which everybody runs in turn, in both memory layouts; of these each one's faster."""
    rounds = [{(name, layout): run(*layout) for name, run in CONTESTANTS.items() for layout in ((), (LAST,))} for _ in range(ROUNDS)]
    return {name: max(statistics.median(one[name, layout] for one in rounds) for layout in ((), (LAST,))) for name in CONTESTANTS}


@functools.cache
def memory():
    """Peak MB of (ours, SpikingJelly's) training process."""
    return (ours("resnet18.json", LARGE_STEPS, LARGE_BATCH, "--workers=2", epochs=1)[1], theirs("spikingjelly", "resnet18.json", LARGE_STEPS, LARGE_BATCH)[1])


CASES = [
    Case(f"images a second over SpikingJelly, float32, T = {T}, batch {BATCH}, 2 threads, each in its faster memory layout", "×", "higher", 1.5, 3, lambda: speed()["workers"] / speed()["spikingjelly"]),
    Case("images a second over snnTorch, the same", "×", "higher", 1.5, 3, lambda: speed()["workers"] / speed()["snntorch"]),
    Case("lasnn-distill, --workers=2", "images/s", "higher", None, None, lambda: speed()["workers"], digits=0),
    Case("lasnn-distill, --threads=2", "images/s", "higher", None, None, lambda: speed()["threads"], digits=0),
    Case("lasnn-distill, --workers=2 --bf16", "images/s", "higher", None, None, lambda: speed()["bf16"], digits=0),
    Case("SpikingJelly, multi-step, layer by layer", "images/s", "higher", None, None, lambda: speed()["spikingjelly"], digits=0),
    Case("snnTorch", "images/s", "higher", None, None, lambda: speed()["snntorch"], digits=0),
    Case(f"ResNet-18, T = {T}, batch {LARGE_BATCH}: peak memory over SpikingJelly's", "×", "lower", 1, 0.7, lambda: memory()[0] / memory()[1]),
    Case("the same: lasnn-distill", "MB", "lower", None, None, lambda: memory()[0], digits=0),
    Case("the same: SpikingJelly", "MB", "lower", None, None, lambda: memory()[1], digits=0),
]


def appendix():
    return "What trained networks reach, with commands, seeds and times: [recorded runs](runs.md).\n" if (results.ROOT / "docs/results/runs.md").exists() else ""
