#!/usr/bin/env python3
"""The scripts' flags and messages, and the summary and report made from JSON as the tools print it."""
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAYERS = [("conv1.lif", 6272, 0.09, 0), ("conv2.lif", 3136, 0.08, 302000)]
DIGEST = "5f3c9a1b22d0ce11"


def run(*words):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, cwd=ROOT)


def latency(median):
    return {"p50": median, "p90": 1.2 * median, "p99": 1.5 * median}


def device(name, isa, median, digest=DIGEST):
    layers = [{"name": n, "neurons": k, "spike_rate": r, "synops": 100 * s, "clips": 0} for n, k, r, s in LAYERS]
    return {"device": name, "isa": isa, "images": 100, "top1": 89.98, "latency_us": latency(median), "images_per_s": 1e6 / median,
            "digest": digest, "layers": layers, "spike_rate": 0.085}


def comparison(name, exact, different):
    layers = [{"name": n, "compared": k, "different": different, "first": "image 3, step 1, element 77: 0 and 1" if different else ""} for n, k, _, _ in LAYERS]
    return {"name": name, "bit_exact_required": exact, "different": different, "first_output": "", "layers": layers}


def write_run(folder, avx2_digest=DIGEST):
    """A quickstart's folder after its steps."""
    tools = {
        "eval-teacher": {"top1": 0.9153, "images": 100},
        "eval-student": {"top1": 0.9021, "images": 100, "timesteps": 4, "spike_rate": 0.087, "latency_us": latency(436),
                         "layers": [{"name": n, "neurons": k, "spike_rate": r} for n, k, r, _ in LAYERS]},
        "run-interp": device("interp", None, 3000), "run-x86-scalar": device("x86", "scalar", 200),
        "run-x86-avx2": device("x86", "avx2", 40, avx2_digest),
        "verify": {"proved": True, "artefacts": [{"artefact": "x.lasnn", "images": 64, "top1": {"source": 90.2, "float": 90.2, "integer": 89.9},
                   "comparisons": [comparison("source -> float", False, 0), comparison("float -> integer", False, 7),
                                   comparison("integer -> x86 scalar", True, 0), comparison("integer -> x86 avx2", True, 0)]}]},
        "info": {"content_hash": "00ff", "provenance": {"tool": "lasnn-compile <0.1.0>"},
                 "operations": [{"op": "conv2d", "name": "conv1", "shape": [32, 28, 28], "weights": 288}]},
    }
    for name in ("json", "log", "steps"):
        (folder / name).mkdir()
    for name, content in tools.items():
        (folder / "json" / f"{name}.json").write_text(json.dumps(content))
    for name in ("setup", "build", "train", "compile", "run"):
        (folder / "steps" / f"{name}.seconds").write_text("1.5\n")
    (folder / "steps/train.reused").touch()
    (folder / "log/student.csv").write_text("epoch,images_per_s,loss,lr,seconds,train_top1\n1,9000,0.9,0.003,6.1,0.81\n2,9000,0.5,0.001,6.0,0.88\n")


class Flags(unittest.TestCase):
    def test_help(self):
        for script in ("quickstart", "test", "bench"):
            done = run(f"scripts/{script}", "--help")
            self.assertEqual(done.returncode, 0)
            self.assertTrue(done.stdout.startswith(f"Usage: scripts/{script}"), done.stdout)

    def test_unknown_flag_is_2(self):
        for script in ("quickstart", "test", "bench"):
            done = run(f"scripts/{script}", "--frobnicate")
            self.assertEqual(done.returncode, 2)
            self.assertIn("unknown argument: --frobnicate", done.stderr)

    def test_unknown_benchmark_is_2(self):
        done = run("scripts/bench", "frobnicate")
        self.assertEqual(done.returncode, 2)
        self.assertIn("foundation", done.stderr)


class Data(unittest.TestCase):
    def test_missing_folder(self):
        done = run("scripts/quickstart", "--no-install", "--data=/nonexistent")
        self.assertEqual(done.returncode, 1)
        self.assertIn("/nonexistent: no such folder", done.stderr)

    def test_wrong_file(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
                pathlib.Path(folder, f"{name}-ubyte").write_text("hello")
            done = run("scripts/quickstart", "--no-install", f"--data={folder}")
            self.assertEqual(done.returncode, 1)
            self.assertIn("train-images-idx3-ubyte: not an IDX file of this kind", done.stderr)


class Report(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)

    def summary(self, command, *more):
        return run(sys.executable, "scripts/lib/summary.py", command, self.folder, *more)

    def test_isas_come_from_verify(self):
        write_run(self.folder)
        self.assertEqual(self.summary("isas").stdout, "scalar avx2\n")

    def test_summary_has_the_promised_keys(self):
        write_run(self.folder)
        self.assertEqual(self.summary("write", "/data").returncode, 0)
        summary = json.loads((self.folder / "summary.json").read_text())
        for key in ("teacher_top1", "student_top1", "int8_top1", "spike_rate", "latency_us_p50", "latency_us_p99", "speedup_vs_interp",
                    "speedup_vs_libtorch", "digest_interp", "digest_x86", "seconds"):
            self.assertIn(key, summary)
        self.assertEqual(set(summary["seconds"]), {"setup", "build", "train", "compile", "run"})
        self.assertEqual((summary["teacher_top1"], summary["int8_top1"], summary["speedup_vs_interp"]), (91.53, 89.98, 75.0))
        self.assertEqual(summary["reused"], ["train"])
        self.assertIn("all equal", self.summary("table").stdout)

    def test_devices_that_disagree_fail(self):
        write_run(self.folder, avx2_digest="0" * 16)
        done = self.summary("write", "/data")
        self.assertEqual(done.returncode, 1)
        self.assertIn("the devices disagree", done.stderr)

    def test_report_is_one_page_that_fetches_nothing(self):
        write_run(self.folder)
        self.summary("write", "/data")
        done = run(sys.executable, "scripts/lib/report.py", self.folder, "/data")
        self.assertEqual(done.returncode, 0, done.stderr)
        page = (self.folder / "report.html").read_text()
        self.assertIsNone(re.search(r"""(src|href)=["'](?!data:)|url\(\s*["']?http|@import""", re.sub(r"<script>.*?</script>", "", page, flags=re.S)))
        self.assertIn("89.98 %", page)
        self.assertIn("lasnn-compile &lt;0.1.0&gt;", page)


if __name__ == "__main__":
    unittest.main()
