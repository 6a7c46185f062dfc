#!/usr/bin/env python3
"""scripts/gpu-check's runner with steps made up here: what is kept, what is run again, what a page says. And scripts/bench cuda without a GPU."""
import contextlib
import io
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import types
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts/lib"))
import gpu_check
import gpu_pages
import gpu_steps
from benchmarks import cuda


def launch(name, kernel, us, macs, bound_us):
    return {"name": name, "kernel": kernel, "us": us, "tiles": 4, "features": "" if kernel == "pool" else f"b1 {name}", "macs": macs, "bytes": 1, "bound_us": bound_us, "bytes_us": 0.5}


def line(form, batch, graph_us, launches):
    return {"form": form, "batch": batch, "rate": 0.1, "device": "NVIDIA H100", "code": "sm_90a", "graph_us": graph_us, "run_us": 2 * graph_us, "peak_int8_tops": 1978.9,
            "peak_tb_per_s": 3.35, "peak_source": "a data sheet", "device_images_per_s": 1e6 * batch / graph_us, "images_per_s": 5e5 * batch / graph_us, "launches": launches}


DENSE = [launch("conv1", "event", 9, 100, 9), launch("a", "dense", 10, 1000, 6), launch("b", "dense", 20, 950, 3), launch("c", "dense", 1, 10, 1)]
LINES = {
    "throughput": [line("auto", 512, 5120, [])],
    "dense-layers": [line("dense", 512, 5120, DENSE), line("warpgroup", 512, 5120, [launch("a", "warpgroup", 10, 1000, 2)])],
    "latency": [line("auto", 1, 100, [])],
    "zero-skipping": [line(form, batch, 1, [launch("conv1", "event", 1, 1, 1), launch("a", form, us, 1, 1)])
                      for form, times in (("event", (4, 3)), ("skip", (2, 9)), ("dense", (8, 6)), ("split", (9, 6))) for batch, us in zip((1, 8), times)],
    "kernels": [line(form, 1, 1, [launch("a", form, us, 1, 1), launch("pool", "pool", 1, 0, None)]) for form, us in (("dense", 3), ("skip", 2), ("split", 4))],
    "pytorch-snn": [{"images_per_s": 20000, "us": 1, "best": "graph", "modes": {"graph": {"us": 1, "images_per_s": 20000}, "tuned": {"failed": "no compiler"}}, "torch": "2", "dtype": "bfloat16"}],
}


def neuron_line(timesteps, speedup, share):
    return {"what": "neuron", "T": timesteps, "type": "bfloat16", "speedup": speedup, "share_of_copy": share}


LINES["neuron-kernels"] = [{"results": [neuron_line(4, 3.5, 0.8), neuron_line(16, 7.0, 0.6), {**neuron_line(4, 9, 1), "type": "float32"}]}]


def record(step, group, **more):
    return {"step": step, "group": group, "about": "what", "status": "passed", "toy": False, "seconds": 1.5, "date": "2026-01-01 10:00:00 +0000"} | more


class Runner(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.ran = []
        self.how = {}
        original = gpu_steps.all_steps
        self.addCleanup(lambda: setattr(gpu_steps, "all_steps", original))
        gpu_steps.all_steps = lambda: [gpu_steps.Step(name, group, "about", self.step(name), (f"target-{name}",), 1, 50)
                                       for name, group in (("one", "conformance"), ("two", "bench"), ("three", "train"))]

    def step(self, name):
        def run(context, seconds):
            self.ran.append(name)
            (context.logs / f"{name}.txt").write_text("said")
            if name in self.how:
                raise self.how[name]
            return {"answer": 42}
        return run

    def check(self, *only, seconds=1000.0):
        self.ran.clear()
        with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(out):
            code = gpu_check.run(types.SimpleNamespace(bin="", out=self.folder / "out", work=self.folder / "work", data="", artefacts="", toy=False, emulated="", commit="abc",
                                                       only=list(only), seconds=seconds))
        return code, out.getvalue()

    def kept(self):
        return {r["step"]: r for r in gpu_check.read(self.folder / "out")}

    def test_passed_is_not_run_again(self):
        (self.folder / "out").mkdir()
        self.assertEqual(self.check()[0], 0)
        self.assertEqual(self.ran, ["one", "two", "three"])
        self.assertEqual(self.kept()["two"]["result"], {"answer": 42})
        self.assertEqual(self.check()[0], 0)
        self.assertEqual(self.ran, [])
        self.assertTrue((self.folder / "out/logs.zip").exists())

    def test_failure_does_not_stop_the_others_and_is_repeated_by_name_only(self):
        (self.folder / "out").mkdir()
        self.how["one"] = gpu_steps.Failed("3 of 5 differ")
        code, said = self.check()
        self.assertEqual(code, 1)
        self.assertIn("3 of 5 differ", said)
        self.assertEqual(self.ran, ["one", "two", "three"])
        self.check()
        self.assertEqual(self.ran, [])
        self.how.clear()
        self.assertEqual(self.check("one")[0], 0)
        self.assertEqual(self.kept()["one"]["status"], "passed")
        self.assertEqual(len(self.kept()), 3)

    def test_cut_short_is_not_a_result(self):
        (self.folder / "out").mkdir()
        self.how["two"] = gpu_steps.CutShort()
        code, said = self.check(seconds=40)  # less than the step's own limit
        self.assertEqual((code, self.ran), (0, ["one", "two"]))
        self.assertIn("call again", said)
        self.assertEqual(list(self.kept()), ["one"])
        code, _ = self.check(seconds=1000)  # it had all the time it may take
        self.assertEqual((code, self.kept()["two"]["status"], self.kept()["three"]["status"]), (1, "failed", "passed"))

    def test_no_time_no_step(self):
        (self.folder / "out").mkdir()
        self.assertEqual(self.check(seconds=10)[0], 0)
        self.assertEqual(self.ran, [])

    def test_skipped_is_tried_again(self):
        (self.folder / "out").mkdir()
        self.how["one"] = gpu_steps.Skipped("no tool")
        self.check("conformance")
        self.assertEqual(self.kept()["one"]["reason"], "no tool")
        self.check("conformance")
        self.assertEqual(self.ran, ["one"])

    def test_unknown_names(self):
        with contextlib.redirect_stderr(io.StringIO()) as said, self.assertRaises(SystemExit) as left:
            gpu_check.chosen(["nine"])
        self.assertEqual(left.exception.code, 2)
        self.assertIn("nine", said.getvalue())

    def test_rehearsals_are_not_published(self):
        (self.folder / "results.jsonl").write_text(json.dumps(record("one", "bench", toy=True)) + "\n")
        with self.assertRaises(SystemExit) as left:
            gpu_check.collect([self.folder])
        self.assertIn("rehearsal", str(left.exception.code))


class Objects(unittest.TestCase):
    def test_one_a_line_and_over_many(self):
        self.assertEqual(cuda.objects('said {1}\n{"a": 1}\n{\n "b": {"c": [1,\n 2]}\n}\nend\n{"d": 2}'), [{"a": 1}, {"b": {"c": [1, 2]}}, {"d": 2}])
        self.assertEqual(cuda.objects(""), [])


class Commands(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.context = gpu_steps.Context(self.folder, self.folder, self.folder, self.folder, self.folder, False, "", "abc")
        self.context.logs.mkdir()

    def test_what_ends_how(self):
        call = lambda script, seconds=20: self.context.call("x", ["/bin/sh", "-c", script], seconds)
        self.assertEqual(call("echo out; echo err >&2"), "out\n")
        with self.assertRaisesRegex(gpu_steps.Failed, "ended with 3: wrong"):
            call("echo wrong >&2; exit 3")
        with self.assertRaisesRegex(gpu_steps.Skipped, "no GPU"):
            call("echo no GPU >&2; exit 77")
        with self.assertRaises(gpu_steps.CutShort):
            call("echo before; sleep 60", 0.3)
        self.assertIn("before", (self.context.logs / "x.txt").read_text())

    def test_digests(self):
        run = {"digest": "ab", "images": 3, "isa": "sm_90", "images_per_s": 5}
        self.assertEqual(gpu_steps.equal_digests({"digest": "ab", "images": 3}, {"event": run})["digest"], "ab")
        for other in ({"digest": "cd", "images": 3}, {"digest": "ab", "images": 4}):
            with self.assertRaisesRegex(gpu_steps.Failed, "event has ab"):
                gpu_steps.equal_digests(other, {"event": run})

    def test_every_job_of_the_page(self):
        jobs = list(gpu_steps.queue())
        self.assertEqual(len({name for name, _, _ in jobs}), len(jobs))
        self.assertIn("cifar10-t4", [name for name, _, _ in jobs])
        for name, words, about in jobs:
            self.assertNotIn("$TRAIN", words, name)
            self.assertTrue(words.endswith("--json") and about, name)


class Pages(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.addCleanup(lambda: setattr(cuda, "recorded", None))

    def test_figures(self):
        records = [record("machine", "conformance", result={"gpu": "NVIDIA H100", "cpu": "sixteen cores", "commit": "abc123"}), record("memcheck", "conformance", status="skipped", reason="no | tool"),
                   *(record(name, "bench", result={"lines": lines}) for name, lines in LINES.items()), record("pytorch-ann", "bench", status="failed", reason="no memory"),
                   record("teacher-10", "train", result={"top1": 0.95})]
        written = {path.name: path.read_text() for path in gpu_pages.render(records, self.folder)}
        self.assertEqual(sorted(written), [f"gpu-{name}.{end}" for name in ("bench", "conformance") for end in ("json", "md")] + ["gpu-measured.inc", "gpu-training.json", "gpu-training.md"])
        self.assertEqual(written["gpu-measured.inc"], 'MEASURED("sm_90a", "b1 a", "skip", 4, 2.00)\n')
        values = {r["case"]: r["value"] for r in json.loads(written["gpu-bench.json"])["results"]}
        find = lambda text: next(value for case, value in values.items() if text in case)
        self.assertEqual(find("over the same SNN"), 5)  # 512 images in 5120 us are 100 000 images/s
        self.assertEqual(find("tensor-core bound"), 30)  # (6 + 3) / (10 + 20): c is too small, conv1 is not dense
        self.assertEqual(find("latency"), 100)
        self.assertEqual(find("skip zeros"), 2)  # 8/2 and 6/3
        self.assertEqual((find("T = 4, bf16"), find("the same, T = 16"), find("those of a copy")), (3.5, 7, 60))
        page = written["gpu-bench.md"]
        self.assertIn("| a | dense | 10.0 | 6.0 | 60 % | 0.5 |", page)
        self.assertIn("tuned: no compiler", page)
        self.assertRegex(page, r"Not measured: .*ANN twin")
        self.assertIn("**not reached**", page)
        self.assertIn("abc123", page)
        self.assertIn("no \\| tool", written["gpu-conformance.md"])
        self.assertIn("top1 0.95", written["gpu-training.md"])


class Bench(unittest.TestCase):
    def test_without_a_gpu_nothing_is_written(self):
        if shutil.which("nvidia-smi"):
            self.skipTest("there may be a GPU")
        page = ROOT / "docs/results/cuda.md"
        before = page.read_text() if page.exists() else None
        done = subprocess.run([ROOT / "scripts/bench", "cuda"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("no GPU", done.stderr)
        self.assertEqual(page.read_text() if page.exists() else None, before)
        done = subprocess.run([ROOT / "scripts/gpu-check"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("no GPU", done.stderr)


if __name__ == "__main__":
    unittest.main()
