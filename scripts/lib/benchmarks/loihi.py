"""The mapper onto Loihi-like chips: cores, hops, links, energy and its own time, beside what others published.

Variables of the environment name what is not in the repository; rows that lack theirs are left out, and said to be:
    LASNN_SANAFE_DVS   SANA-FE's dvs.yaml, or dvs.yaml.xz
    LASNN_STUDENTS     trained students besides examples/models/*.pt, separated by colons
    LASNN_CIFAR10      folder of CIFAR-10, for the students' firing rates; without it every neuron counts as firing at every step"""
import functools
import json
import os
import lzma
import pathlib
import subprocess
import sys
import tempfile

from bench import BIN, Case
import results

TITLE = "Loihi: mapping onto cores"
NEEDS = ("bench_loihi_map", "bench_loihi_sim", "lasnn-compile", "lasnn-distill")
DVS = pathlib.Path(os.environ.get("LASNN_SANAFE_DVS", ""))
CIFAR10 = os.environ.get("LASNN_CIFAR10", "")
STUDENTS = [*sorted((results.ROOT / "examples/models").glob("*.pt")), *(pathlib.Path(p) for p in os.environ.get("LASNN_STUDENTS", "").split(":") if p)]


def unpacked(folder):
    """DVS as plain YAML."""
    if DVS.suffix != ".xz":
        return DVS
    plain = pathlib.Path(folder, "dvs.yaml")
    plain.write_bytes(lzma.decompress(DVS.read_bytes()))
    return plain


@functools.cache
def run(name, *flags):
    """What bench_loihi_map says of one case. A mapping that does not fit is an error, whatever its numbers."""
    with tempfile.TemporaryDirectory() as folder:
        if name.startswith("dvs"):
            flags = (*flags, f"--dvs={unpacked(folder)}")
        done = subprocess.run([BIN / "bench_loihi_map", f"--case={name}", *flags], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    found = json.loads(done.stdout)[name]
    if found.get("errors"):
        raise SystemExit(f"bench: {name}: " + "; ".join(found["errors"]))
    return found


@functools.cache
def simulated():
    """bench_loihi_sim on the DVS network, one thread."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([BIN / "bench_loihi_sim", f"--dvs={unpacked(folder)}"], check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)


@functools.cache
def student(path):
    """The comparison of a trained student, mapped for energy: energy of packets and hops by mapper."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([BIN / "lasnn-distill", "export", path, "-o", f"{folder}/student.onnx"], check=True, stdout=subprocess.DEVNULL)
        calib = [f"--calib=cifar10:{CIFAR10}"] if CIFAR10 else []
        subprocess.run([BIN / "lasnn-compile", f"{folder}/student.onnx", "-o", f"{folder}/student.json", "--target=loihi1", "--objective=energy", *calib],
                       check=True, stdout=subprocess.DEVNULL)
        scores = json.loads(pathlib.Path(folder, "student.json").read_text())["result"]["scores"]
    return {score["name"]: score.get("energyPj", score.get("energy_pj", 0)) for score in scores}


def suits(path):
    """Whether the chip can run the student; before the tools are built, no."""
    if not (BIN / "lasnn-compile").exists() or not (BIN / "lasnn-distill").exists():
        return False
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([BIN / "lasnn-distill", "export", path, "-o", f"{folder}/student.onnx"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        done = subprocess.run([BIN / "lasnn-compile", f"{folder}/student.onnx", "--check", "--target=loihi1"], capture_output=True, text=True)
    if done.returncode:
        print(f"  left out: {path.name}: {(done.stderr.strip().splitlines() or ['refused'])[-1]}", file=sys.stderr)
    return done.returncode == 0


def student_saved(path, than):
    energy = student(path)
    return 100 * (1 - energy["this"] / energy[than])


def value(name, *path):
    at = run(name)
    for key in path:
        at = at[key]
    return at


def saved(name, than="sequential-hwc"):
    """Percent less energy of packets and hops than another mapper's."""
    scores = run(name)["scores"]
    return 100 * (1 - scores["this"]["energy_pj"] / scores[than]["energy_pj"])


CASES = [
    Case("CIFAR-10 pseudo-MobileNet as published, soft reset, input on the chip: cores (NxTF 157, the bound is 157)", "cores", "lower", 157, 150,
         lambda: value("pseudo_mobilenet_as_published", "cores"), 0),
    Case("the same as we compile it, average pool inside the linear layer: cores", "cores", "lower", 157, 150, lambda: value("pseudo_mobilenet", "cores"), 0),
    Case("MNIST CNN of 4 k neurons: cores (NxTF 14, shapes not published)", "cores", "lower", 14, 11, lambda: value("mnist_cnn", "cores"), 0),
    Case("pseudo-MobileNet for energy: packets and hops below sequential-hwc's", "%", "higher", 30, 45, lambda: saved("pseudo_mobilenet_energy"), 1),
    Case("and below sequential's (tensor order, as SNEAP and SpiNeMap compare; it breaks limits)", "%", "higher", 30, 45, lambda: saved("pseudo_mobilenet_energy", "sequential"), 1),
    Case("a vgg on CIFAR-10 for energy: packets and hops below sequential-hwc's (it breaks limits)", "%", "higher", 30, 45, lambda: saved("vgg_energy"), 1),
    Case("and below sequential's (it breaks limits)", "%", "higher", 30, 45, lambda: saved("vgg_energy", "sequential"), 1),
    Case("16 layers x 16 cores on 16x16: mean hops (Hilbert 5.25)", "hops", "lower", 5.24, 4.2, lambda: value("layered_16x16", "mean_hops")),
    Case("16 layers x 64 cores on 32x32: mean hops (Hilbert 10.62)", "hops", "lower", 10.61, 8.5, lambda: value("layered_32x32", "mean_hops")),
    Case("full chip, 131,072 neurons: the mapper, one thread", "s", "lower", 10, 3, lambda: value("full_chip", "seconds")),
    Case("1,048,576 neurons: the mapper, one thread", "s", "lower", 120, 40, lambda: value("million", "seconds")),
]
if DVS.is_file():
    CASES[2:2] = [
        Case("DVS gesture 32x32: cores (NxTF 49, the bound is 19)", "cores", "lower", 30, 28, lambda: value("dvs", "cores"), 0),
        Case("DVS gesture for energy: packets and hops below sequential-hwc's", "%", "higher", 30, 45, lambda: saved("dvs_energy"), 1),
        Case("and below sequential's (it breaks limits)", "%", "higher", 30, 45, lambda: saved("dvs_energy", "sequential"), 1),
        Case("NxTF's 49 DVS cores placed anew: mean hops (2.40)", "hops", "lower", 1.70, 1.60, lambda: value("dvs_placement", "mean_hops")),
        Case("and the busiest link, messages of 128 steps (82,104)", "messages", "lower", 59000, 55000, lambda: value("dvs_placement", "max_link"), 0),
    ]
    CASES += [
        Case("simulator, DVS network: loading it (SANA-FE 9 s)", "s", "lower", 9, 1, lambda: simulated()["load_s"]),
        Case("simulator, DVS network: 128 steps, one thread (SANA-FE under 1 s)", "s", "lower", 1, 0.5, lambda: simulated()["run_s"]),
    ]
else:
    print("  left out: the cases of the DVS network; LASNN_SANAFE_DVS names no file", file=sys.stderr)
for path in filter(suits, STUDENTS):
    for than in ("sequential-hwc", "sequential"):
        CASES.append(Case(f"our trained {path.stem} for energy: packets and hops below {than}'s", "%", "higher", 30, 45, lambda path=path, than=than: student_saved(path, than), 1))


def appendix():
    note = "" if DVS.is_file() else "\nThe DVS cases are left out: LASNN_SANAFE_DVS named no file.\n"
    return ("Published: NxTF (Rueckauer et al. 2022; core counts from its own notebooks), SANA-FE's `dvs.yaml`, whose 38,081 spikes and 386,640 packets our reading\n"
            "reproduces. Networks without data have random weights: shapes decide. `sequential` fills cores with\n"
            "neurons in the order of the tensors (channels, rows, columns), `sequential-hwc` by rows, columns and channels; neither looks at output entries. The DVS network is mapped with halved weights and T = 4, which change no core's contents: at T = 128 the\n"
            "proof that no voltage leaves 24 bits for any input fails.\n" + note)
