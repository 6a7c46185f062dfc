"""What a quickstart left in its folder, read once for the table, summary.json, the report and the benchmarks."""
import csv
import json
import os
import pathlib
import platform
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
STEPS = ("setup", "build", "train", "compile", "run")


def load(path):
    """The JSON at `path`, or None when there is none."""
    try:
        return json.loads(pathlib.Path(path).read_text())
    except (OSError, json.JSONDecodeError):
        return None


def percent(top1):
    """lasnn-distill says accuracy as a share, lasnn-run in percent."""
    return 100 * top1 if top1 <= 1 else top1


def commit():
    try:
        git = lambda *words: subprocess.run(("git", "-C", str(ROOT), *words), capture_output=True, text=True, check=True).stdout.strip()
        return git("rev-parse", "--short=12", "HEAD") + ("+changes" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def machine():
    model = platform.processor() or platform.machine()
    try:
        for line in open("/proc/cpuinfo"):
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    except OSError:
        pass
    return f"{model}, {os.cpu_count()} cores, {system()}"


def system():
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    except OSError:
        return platform.system()


class Run:
    """One folder of results."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        read = lambda name: load(self.folder / "json" / f"{name}.json")
        self.teacher, self.student = read("eval-teacher"), read("eval-student")
        self.interp, self.verify, self.info = read("run-interp"), read("verify"), read("info")
        self.native = {isa: found for isa in ("scalar", "avx2", "avx512") if (found := read(f"run-x86-{isa}"))}

    @property
    def best(self):
        """The ISA that `--isa=auto` takes: the last that ran."""
        return list(self.native)[-1]

    def seconds(self):
        took = {}
        for name in STEPS:
            path = self.folder / "steps" / f"{name}.seconds"
            took[name] = float(path.read_text()) if path.exists() else 0.0
        return took

    def reused(self):
        return [name for name in STEPS if (self.folder / "steps" / f"{name}.reused").exists()]

    def command(self, name):
        path = self.folder / "log" / f"{name}.command"
        return path.read_text().strip() if path.exists() else ""

    def training(self, name):
        """The rows of a training log, numbers as numbers."""
        path = self.folder / "log" / f"{name}.csv"
        if not path.exists():
            return []

        def number(text):
            try:
                return float(text)
            except (TypeError, ValueError):
                return text
        with open(path, newline="") as file:
            return [{key: number(value) for key, value in row.items()} for row in csv.DictReader(file)]

    def isas_proved(self):
        """The ISAs that lasnn-verify ran: those that this CPU has."""
        names = [c["name"] for c in self.verify["artefacts"][0]["comparisons"]]
        return [name.rsplit(" ", 1)[1] for name in names if name.startswith("integer -> x86 ")]

    def digests(self):
        return {"interp": self.interp["digest"], **{isa: run["digest"] for isa, run in self.native.items()}}
