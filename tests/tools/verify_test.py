"""lasnn-verify against sources that somebody else runs. Usage: verify_test.py BIN_FOLDER SOURCE_FOLDER

Random students, executed by onnxruntime out of .venv (or LASNN_VENV); without it those tests show as skipped.
"""
import html.parser
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import unittest

from npy import npy

BIN, SOURCE = pathlib.Path(sys.argv.pop(1)).resolve(), pathlib.Path(sys.argv.pop(1)).resolve()
PYTHON = pathlib.Path(os.environ.get("LASNN_VENV", SOURCE / ".venv")) / "bin/python"
TINY = pathlib.Path(__file__).with_name("tiny.mlir")
MAKE = """
import sys
sys.path.insert(0, sys.argv[1])
import numpy as np, onnx
from onnx_reference import Student
made, seed = 0, 0
while made < 6:
    seed += 1
    student = Student(np.random.default_rng(seed))
    if student.events or len(student.input_shape) != 3 or not student.layers:
        continue
    onnx.save(student.model(), f"{sys.argv[2]}/{made}.onnx")
    print(*student.input_shape, student.classes)
    made += 1
"""


def have_runtime():
    return PYTHON.exists() and subprocess.run([PYTHON, "-c", "import onnx, onnxruntime"], capture_output=True).returncode == 0


class Page(html.parser.HTMLParser):
    """What a page fetches, and its words."""

    def __init__(self, text):
        super().__init__()
        self.fetched, self.words, self.open = [], "", []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.fetched += [value for name, value in attributes if name in ("src", "href") and not value.startswith(("data:", "#"))]
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (tag, self.open[-3:])
        self.open.pop()

    def handle_data(self, data):
        self.words += data


class Verify(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.temporary.name)

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def run_tool(self, name, *arguments, code=0, **environment):
        done = subprocess.run([BIN / name, *map(str, arguments)], capture_output=True, text=True, env={**os.environ, "LASNN_PYTHON": str(PYTHON), **environment})
        self.assertEqual(done.returncode, code, f"{name} {arguments}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
        return done

    def data(self, name, shape, classes, count=5):
        folder, draw = self.folder / f"data-{name}", random.Random(name)
        folder.mkdir(exist_ok=True)
        size = shape[0] * shape[1] * shape[2]
        for split in ("train", "test"):
            npy(folder / f"{split}_images.npy", (count, *shape), (draw.randrange(256) for _ in range(count * size)))
            npy(folder / f"{split}_labels.npy", (count,), (i % classes for i in range(count)))
        return f"--data=npy:{folder}"

    def students(self):
        if not have_runtime():
            self.skipTest(f"{PYTHON} has no onnxruntime: scripts/lib/oracles installs it")
        made = subprocess.run([PYTHON, "-c", MAKE, SOURCE / "tests/frontend/onnx", self.folder], capture_output=True, text=True, check=True)
        for k, line in enumerate(made.stdout.splitlines()):
            *shape, classes = map(int, line.split())
            yield self.folder / f"{k}.onnx", self.data(k, shape, classes)

    def test_random_students_are_proved_against_onnxruntime(self):
        spikes = 0
        for model, data in self.students():
            with self.subTest(model=model.name):
                report = json.loads(self.run_tool("lasnn-verify", model, data, "--max-accuracy-loss=100", "--json", f"--source-runner={PYTHON}").stdout)
                self.assertTrue(report["proved"])
                self.assertTrue(report["source_runner"]["independent"])
                self.assertIn("onnxruntime", report["source_runner"]["name"])
                chain = report["artefacts"][0]
                self.assertEqual([each["stage"] for each in chain["executors"]][:4], ["source", "imported", "float", "integer"])
                first = chain["comparisons"][0]
                self.assertEqual(first["name"], "source -> imported")
                for layer in first["layers"]:
                    self.assertEqual(sum(layer["spikes_by_step"][0]), layer["spikes"][0])
                    if layer["membrane_error"] and not first["different"]:
                        self.assertLess(layer["membrane_error"]["max"], 1e-3)
                spikes += sum(layer["spikes"][0] for layer in first["layers"])
                self.check_schema(report)
        self.assertGreater(spikes, 500, "the random networks are too silent for this test to mean something")

    def test_a_source_that_computes_something_else_is_seen(self):
        wrong = self.folder / "wrong-python"
        found = 0
        for model, data in self.students():
            wrong.write_text(f'#!/bin/bash\nexec {PYTHON} -c "${{2/self.mean) \\/ self.std/self.mean) \\/ self.std * np.float32(1.03)}}" "$3"\n')
            wrong.chmod(0o755)
            done = subprocess.run([BIN / "lasnn-verify", model, data, "--max-accuracy-loss=100", "--json", f"--source-runner={wrong}"], capture_output=True, text=True)
            report = json.loads(done.stdout)
            first = report["artefacts"][0]["comparisons"][0]
            if first["different"]:
                found += 1
                self.assertEqual(done.returncode, 1)
                self.assertFalse(report["artefacts"][0]["checks"]["import_keeps_spikes"])
                self.assertIn("where rounding explains", first["first_unexplained"])
        self.assertGreaterEqual(found, 3)

    def check_schema(self, report):
        try:
            import jsonschema
            jsonschema.validate(report, json.loads((SOURCE / "docs/verify.schema.json").read_text()))
        except ImportError:
            pass

    def test_artefacts_of_every_kind_on_one_page(self):
        data = self.data("tiny", (1, 8, 8), 3, 12)
        lasnn, lmap = self.folder / "a.lasnn", self.folder / "a.lmap"
        self.run_tool("lasnn-compile", TINY, "-o", lasnn)
        self.run_tool("lasnn-compile", TINY, "-o", lmap, "--target=loihi1")
        text = self.run_tool("lasnn-verify", TINY, lasnn, lmap, data, "--max-accuracy-loss=100", f"--report={self.folder}/page").stdout
        self.assertIn("not run by anybody else: only ONNX models have a runtime of their own", text)
        self.assertIn("loihi loihi1", text)
        self.assertTrue(text.endswith("\nproved\n"))
        report = json.loads((self.folder / "page/verify.json").read_text())
        self.check_schema(report)
        self.assertEqual([chain["target"] for chain in report["artefacts"]], ["x86", "loihi1 (simulated)"])
        page = Page((self.folder / "page/verify.html").read_text())
        self.assertEqual(page.fetched, [])
        self.assertIn("Proved.", page.words)
        self.assertIn("conv.lif", page.words)
        alone = self.run_tool("lasnn-verify", TINY, lasnn, data, "--max-accuracy-loss=100", "--html=-").stdout
        self.assertTrue(alone.startswith("<!DOCTYPE html>"))

    def test_limits_decide(self):
        data = self.data("tiny", (1, 8, 8), 3, 12)
        rough = self.folder / "rough.lasnn"
        self.run_tool("lasnn-compile", TINY, "-o", rough, "--weights=int3")
        allowed = ("--max-accuracy-loss=100", "--max-spike-difference=100")
        self.run_tool("lasnn-verify", TINY, rough, data, *allowed)
        told = self.run_tool("lasnn-verify", TINY, rough, data, "--max-accuracy-loss=100", "--max-spike-difference=0.1", code=1).stdout
        self.assertIn("FAIL  quantization moves at most 0.1 % of a layer's spikes", told)
        self.assertEqual(told.count("FAIL"), 1)

    def refused(self, *arguments, says, code=1):
        before = sorted(path.name for path in self.folder.iterdir())
        done = self.run_tool("lasnn-verify", *arguments, code=code)
        self.assertIn(says, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), before)

    def test_wrong_input_is_told_why(self):
        data = self.data("tiny", (1, 8, 8), 3, 12)
        other = self.data("other", (1, 9, 9), 3, 2)
        lasnn, steps, calibrated = (self.folder / name for name in ("w.lasnn", "steps.lasnn", "c.lmap"))
        self.run_tool("lasnn-compile", TINY, "-o", lasnn)
        more = self.folder / "more.mlir"
        more.write_text(TINY.read_text().replace("timesteps = 4", "timesteps = 2"))
        self.run_tool("lasnn-compile", more, "-o", steps)
        self.run_tool("lasnn-compile", TINY, "-o", calibrated, "--target=loihi1", data.replace("--data", "--calib"))
        report = f"--report={self.folder}/nothing"
        self.refused(lasnn, data, report, says="is an artefact, expected the float source")
        self.refused(TINY, TINY, data, report, says="is no artefact, expected a .lasnn or .lmap file")
        self.refused(TINY, self.folder, data, report, says="it is a folder")
        self.refused(TINY, steps, data, report, says="runs 2 steps")
        self.refused(TINY, calibrated, data, report, says="give --calib=SET:DIR")
        self.refused(TINY, lasnn, other, report, says="has 81 bytes")
        self.refused(TINY, lasnn, "--data=nowhere:x", report, says="nowhere")
        self.refused(TINY, lasnn, data, "--source-runner=/no/python", report, says="only ONNX models")
        self.refused(TINY, lasnn, data, "--json", "--html=-", says="both write to stdout", code=2)
        self.refused(TINY, lasnn, says="--data", code=2)
        self.run_tool("lasnn-verify", TINY, calibrated, data, data.replace("--data", "--calib"), "--max-accuracy-loss=100")


if __name__ == "__main__":
    unittest.main()
