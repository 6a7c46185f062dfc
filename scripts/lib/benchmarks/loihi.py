"""The mapper onto Loihi-like chips: cores, hops, links, energy and its own time, beside what others published."""
import functools
import json
import lzma
import pathlib
import subprocess
import tempfile

from bench import BIN, Case
import results

TITLE = "Loihi: mapping onto cores"
NEEDS = ("bench_loihi_map",)
DVS = results.ROOT.parent / "shared/data/models/sanafe_dvs/dvs.yaml.xz"


@functools.cache
def run(name, *flags):
    """What bench_loihi_map says of one case; {} where its data is absent."""
    with tempfile.TemporaryDirectory() as folder:
        if name.startswith("dvs"):
            if not DVS.exists():
                print(f"  skipped: {name}, {DVS.name} is not there")
                return {}
            unpacked = pathlib.Path(folder, "dvs.yaml")
            unpacked.write_bytes(lzma.decompress(DVS.read_bytes()))
            flags = (*flags, f"--dvs={unpacked}")
        done = subprocess.run([BIN / "bench_loihi_map", f"--case={name}", *flags], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return json.loads(done.stdout)[name]


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
    Case("pseudo-MobileNet for energy: packets and hops below a sequential mapper's", "%", "higher", 30, 45, lambda: saved("pseudo_mobilenet_energy"), 1),
    Case("a vgg on CIFAR-10 for energy: packets and hops below a sequential mapper's", "%", "higher", 30, 45, lambda: saved("vgg_energy"), 1),
    Case("16 layers x 16 cores on 16x16: mean hops (Hilbert 5.25)", "hops", "lower", 5.24, 4.2, lambda: value("layered_16x16", "mean_hops")),
    Case("16 layers x 64 cores on 32x32: mean hops (Hilbert 10.62)", "hops", "lower", 10.61, 8.5, lambda: value("layered_32x32", "mean_hops")),
    Case("full chip, 131,072 neurons: the mapper, one thread", "s", "lower", 10, 3, lambda: value("full_chip", "seconds")),
    Case("1,048,576 neurons: the mapper, one thread", "s", "lower", 120, 40, lambda: value("million", "seconds")),
]
if DVS.exists():
    CASES[2:2] = [
        Case("DVS gesture 32x32: cores (NxTF 49, the bound is 19)", "cores", "lower", 30, 28, lambda: value("dvs", "cores"), 0),
        Case("DVS gesture for energy: packets and hops below a sequential mapper's", "%", "higher", 30, 45, lambda: saved("dvs_energy"), 1),
        Case("NxTF's 49 DVS cores placed anew: mean hops (2.40)", "hops", "lower", 1.70, 1.60, lambda: value("dvs_placement", "mean_hops")),
        Case("and the busiest link, messages of 128 steps (82,104)", "messages", "lower", 59000, 55000, lambda: value("dvs_placement", "max_link"), 0),
    ]


def appendix():
    note = "" if DVS.exists() else "\nThe DVS cases are left out: shared/data/models/sanafe_dvs is not there.\n"
    return ("Published: NxTF (Rueckauer et al. 2022; core counts from its own notebooks), SANA-FE's `dvs.yaml`, whose 38,081 spikes and 386,640 packets our reading\n"
            "reproduces. Networks without data have random weights: shapes decide. A sequential mapper fills cores with\n"
            "neurons in order of rows, columns and channels. The DVS network is mapped with halved weights and T = 4, which change no core's contents: at T = 128 the\n"
            "proof that no voltage leaves 24 bits for any input fails.\n" + note)
