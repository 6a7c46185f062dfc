"""What scripts/gpu-check does, step after step: conformance, benchmarks, training. Every step can be run at toy size on a machine without a GPU, on the
emulated driver."""
import dataclasses
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import typing

import results
from benchmarks import cuda

GROUPS = ("conformance", "bench", "train")
QUEUE = results.ROOT / "docs/gpu-queue.md"


class Failed(Exception):
    """What went wrong."""


class Skipped(Exception):
    """Why it cannot run here."""


class CutShort(Exception):
    """The time was over."""


@dataclasses.dataclass
class Context:
    bin: pathlib.Path
    out: pathlib.Path  # what comes back
    work: pathlib.Path  # what stays from call to call
    data: pathlib.Path
    artefacts: pathlib.Path
    toy: bool
    emulated: str  # the driver of a rehearsal
    commit: str

    @property
    def logs(self):
        return self.work / "logs"

    def call(self, name, command, seconds, **more):
        """The command's stdout. It gets the time it may take; what it says lies in logs/NAME.txt."""
        environment = dict(os.environ, **more)
        environment["LASNN_BENCH_CODE"] = str(self.work / "code")
        environment.pop("LASNN_CUDA_DRIVER", None)  # what is measured is the real driver's
        if self.toy:
            environment["LASNN_CUDA_DRIVER"] = self.emulated
        command = [str(word) for word in command]
        try:
            child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=results.ROOT, start_new_session=True)
        except FileNotFoundError as error:
            raise Failed(f"{command[0]} is not there: build it") from error
        late = False
        try:
            out, said = child.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            out, said = child.communicate()
            late = True
        with open(self.logs / f"{name}.txt", "a") as log:
            log.write(f"$ {shlex.join(command)}\n{out}{said}\n")
        if late:
            raise CutShort
        if child.returncode == 77:
            raise Skipped(said.strip())
        if child.returncode:
            last = (said.strip() or out.strip() or "it said nothing").splitlines()[-1]
            raise Failed(f"{os.path.basename(command[0])} ended with {child.returncode}: {last}")
        return out

    def json(self, name, command, seconds, **more):
        """The JSON objects that the command prints."""
        return cuda.objects(self.call(name, command, seconds, **more))


@dataclasses.dataclass
class Step:
    name: str
    group: str
    about: str
    run: typing.Callable[[Context, float], dict]
    targets: tuple = ()
    least: int = 30  # seconds: not begun with less
    most: int = 300  # seconds: more is a failure


def machine(context, seconds):
    """The GPU, its driver and the tools; fails where nothing can run."""
    first = lambda *words: (subprocess.run(words, capture_output=True, text=True).stdout.strip().splitlines() or [""])[-1] if shutil.which(words[0]) else ""
    found = {"cpu": results.machine(), "commit": context.commit, "python": sys.version.split()[0],
             "gpu": first("nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"), "nvcc": first("nvcc", "--version"),
             "torch": first(sys.executable, "-c", "import torch; print(torch.__version__)")}
    return found | context.json("machine", [context.bin / "bench_cuda", "--device"], seconds)[-1]


def device_test(context, name, seconds, prefix=(), filter="*", **environment):
    """cuda_device_test's own account of what it compared."""
    report = context.work / f"{name}.json"
    context.call(name, [*prefix, context.bin / "cuda_device_test", f"--gtest_output=json:{report}", f"--gtest_filter={filter}"], seconds, **environment)
    found = json.loads(report.read_text())
    tests = [test for suite in found["testsuites"] for test in suite["testsuite"]]
    if skipped := [test["name"] for test in tests if test["result"] == "SKIPPED"]:
        raise Skipped(f"cuda_device_test skipped {', '.join(skipped)}: no GPU can be used")
    return {"tests": len(tests), "compared": {test["name"]: int(test["networks"]) for test in tests if "networks" in test}}


def random_networks(context, seconds):
    if context.toy:
        return device_test(context, "random-networks", seconds, LASNN_TEST_COUNT="1")
    return device_test(context, "random-networks", seconds, LASNN_TEST_COUNT="100000", LASNN_TEST_SECONDS=str(int(max(10, min(20, seconds / 15)))))


def sanitized(tool):
    def run(context, seconds):
        name = f"sanitizer-{tool}"
        if context.toy:  # the command without the tool, on one network
            return device_test(context, name, seconds, filter="*ChosenForLarge*", LASNN_TEST_COUNT="1")
        program = shutil.which("compute-sanitizer") or shutil.which("/usr/local/cuda/bin/compute-sanitizer")
        if not program:
            raise Skipped("compute-sanitizer is not found")
        return device_test(context, name, seconds, [program, f"--tool={tool}", "--error-exitcode=99"], LASNN_TEST_COUNT="3")
    return run


def cifar(context):
    """The data set's spec, and whether it is the real one."""
    folder = context.data / "cifar10"
    real = (folder / "test_batch.bin").exists()
    if not real:
        folder = context.work / "random-set"
        if not folder.exists():
            subprocess.run([sys.executable, results.ROOT / "scripts/lib/toy_cifar.py", folder, f"--test={10 if context.toy else 10000}"], check=True)
        folder /= "cifar10"
    return f"cifar10:{folder}", real and not context.toy


def sweep(context, name, model, data, device, seconds, limit=0):
    return context.json(name, [context.bin / "bench_sweep", model, f"--data={data}", f"--device={device}", f"--batch={8 if context.toy else 512}", f"--limit={limit}"], seconds)[-1]


def equal_digests(expected, runs):
    different = [f"{name} has {run['digest']}" for name, run in runs.items() if run["digest"] != expected["digest"] or run["images"] != expected["images"]]
    if different:
        raise Failed(f"digest {expected['digest']} over {expected['images']} images expected: {', '.join(different)}")
    return {"digest": expected["digest"], "images": expected["images"], "top1": expected.get("top1"), "devices": {name: run["isa"] for name, run in runs.items()},
            "images_per_s": {name: run["images_per_s"] for name, run in runs.items()}}


def random_resnet(context, seconds):
    """A ResNet-18 of random weights over the whole test set, in every form, beside this machine's CPU."""
    prefix, (data, real) = context.work / "resnet18", cifar(context)
    shape = ["--width=4", "--size=32", "--stem-stride=16"] if context.toy else ["--width=64", "--size=32"]
    forms = cuda.FORMS
    context.call("resnet18", [context.bin / "bench_cuda", *shape, f"--form={','.join(forms)}", "--rate=10", f"--write={prefix}"], seconds)
    expected = sweep(context, "resnet18", f"{prefix}.x86.lasnn", data, "x86", seconds)
    if context.toy:  # something for the step that follows
        rehearsed = context.work / "artefacts"
        rehearsed.mkdir()
        shutil.copy(f"{prefix}.auto.lasnn", rehearsed / "rehearsed.lasnn")
        (rehearsed / "rehearsed.json").write_text(json.dumps(expected | {"data": "cifar10"}))
    return equal_digests(expected, {form: sweep(context, "resnet18", f"{prefix}.{form}.lasnn", data, "cuda", seconds) for form in forms}) | {"real_images": real}


def artefacts(context, seconds):
    """Trained networks that came along: NAME.lasnn for CUDA with NAME.json, which lasnn-run --device=x86 --json wrote elsewhere; `data` added: the set's name,
    with ?key=value behind it where the spec has any."""
    folder = context.work / "artefacts" if context.toy else context.artefacts
    found = sorted(folder.glob("*.lasnn")) if folder.is_dir() else []
    runs = {}
    for model in found:
        expected = results.load(model.with_suffix(".json"))
        if not expected or not {"digest", "images", "data"} <= expected.keys():
            raise Failed(f"{model.with_suffix('.json')} is missing or has no digest, images and data (docs/gpu-queue.md)")
        name, _, words = expected["data"].partition("?")
        data = cifar(context)[0] if context.toy else f"{name}:{context.data / name}" + ("?" + words if words else "")
        if not context.toy and not (context.data / name).is_dir():
            raise Skipped(f"{model.stem} needs {context.data / name}, which did not come along")
        runs[model.stem] = equal_digests(expected, {"cuda": sweep(context, "artefacts", model, data, "cuda", seconds, expected["images"])})
    if not runs:
        raise Skipped(f"no *.lasnn in {folder}")
    return runs


def has_torch(python):
    return shutil.which(python) and subprocess.run([python, "-c", "import torch"], capture_output=True).returncode == 0


def measurement(name):
    def run(context, seconds):
        python = sys.executable
        if context.toy and cuda.MEASUREMENTS[name].program.endswith(".py"):
            python = next(filter(has_torch, (sys.executable, results.ROOT / "out/bench/venv/bin/python3", "/usr/bin/python3")), None)
            if not python:
                raise Skipped("no Python with PyTorch is at hand")
        elif context.toy and not (context.bin / cuda.MEASUREMENTS[name].program).exists():
            raise Skipped(f"{cuda.MEASUREMENTS[name].program} is not built")
        lines = context.json(name, cuda.command(name, context.bin, python, context.toy), seconds)
        if not lines:
            raise Failed("it printed no JSON")
        return {"lines": lines}
    return run


def trainer_tests(context, seconds):
    if context.toy:
        raise Skipped("they are tests of their own here")
    context.call("trainer-tests", [context.bin / "test_distill", "--gtest_brief=1"], seconds)
    return {}


def queue():
    """(name, words, what it is to reach) of every job of the page: a job is a "### name" whose indented lines begin with lasnn-distill; $TRAIN is the
    first indented line."""
    text = QUEUE.read_text()
    shared = re.search(r"^    (--device.*)$", text, re.M)
    if not shared:
        raise Failed(f"{QUEUE}: the options that all jobs share are not found")
    for section in re.split(r"^### ", text, flags=re.M)[1:]:
        name, _, body = section.partition("\n")
        for command in re.findall(r"^    lasnn-distill (.*)$", body, re.M):
            yield name.strip(), command.replace("$TRAIN", shared.group(1)), " ".join(body.partition("\n\n")[0].split())


def job(name, command):
    def run(context, seconds):
        folder = context.work / "run"
        folder.mkdir(exist_ok=True)
        data = context.data
        if context.toy and not (data / "cifar10").exists():
            data = context.work / "data"
            if not data.exists():
                subprocess.run([sys.executable, results.ROOT / "scripts/lib/toy_cifar.py", data], check=True)
        words = shlex.split(command.replace("$RUN", str(folder)).replace("$DATA", str(data))) + [f"--log={context.logs / name}.csv"]
        if context.toy:
            words += ["--device=cpu", "--no-cuda-graph", "--limit=32", "--epochs=1", "--batch=16", "--no-bf16", "--bn-reestimate=1"]
            words += ["--width=0.1"] if name.startswith("teacher") else []  # students take their teacher's shape
        return json.loads(context.call(name, [context.bin / "lasnn-distill", *words], seconds))
    return run


def all_steps():
    """In their order."""
    test, bench = ("cuda_device_test",), ("bench_cuda",)
    return [
        Step("machine", "conformance", "the GPU, its driver, the tools", machine, bench, most=60),
        Step("random-networks", "conformance", "random networks in every form equal the plain executor: outputs, spikes, clips; batches, steps, two sessions", random_networks, test, 60, 420),
        Step("resnet18", "conformance", "a ResNet-18 of random weights over 10 000 images: digests of x86 and of every form on the GPU", random_resnet, (*bench, "bench_sweep"), 150, 400),
        Step("artefacts", "conformance", "trained networks over whole test sets: the digest recorded from x86", artefacts, ("bench_sweep",), 60),
        Step("memcheck", "conformance", "compute-sanitizer memcheck: no access outside, no leak of an error", sanitized("memcheck"), test, 90),
        Step("racecheck", "conformance", "compute-sanitizer racecheck: no hazard in shared memory", sanitized("racecheck"), test, 90),
        *(Step(name, "bench", m.about, measurement(name), m.targets, m.least, m.most) for name, m in cuda.MEASUREMENTS.items()),
        Step("trainer-tests", "train", "the trainer's tests against this machine's LibTorch", trainer_tests, ("test_distill",), 60),
        *(Step(name, "train", about, job(name, words), ("lasnn-distill",), most=100000) for name, words, about in queue()),
    ]
