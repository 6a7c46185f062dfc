"""Checks before compiling, and the passes looked into. Usage: phases_test.py BIN_FOLDER SOURCE_FOLDER"""
import json
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import unittest

from npy import npy

BIN, SOURCE = pathlib.Path(sys.argv.pop(1)).resolve(), pathlib.Path(sys.argv.pop(1)).resolve()
TINY = pathlib.Path(__file__).with_name("tiny.mlir").read_text()


class Phases(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.temporary.name)
        draw = random.Random(4)
        for split in ("train", "test"):
            npy(cls.folder / f"{split}_images.npy", (20, 1, 8, 8), (draw.randrange(256) for _ in range(20 * 64)))
            npy(cls.folder / f"{split}_labels.npy", (20,), (i % 3 for i in range(20)))
        cls.data = f"npy:{cls.folder}"
        cls.model = cls.folder / "tiny.mlir"
        cls.model.write_text(TINY)

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def compile(self, *arguments, code=0):
        done = subprocess.run([BIN / "lasnn-compile", *map(str, arguments)], capture_output=True, text=True)
        self.assertEqual(done.returncode, code, f"{arguments}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
        return done

    # --dump-phases, --compile-from

    def test_going_on_from_any_phase_gives_the_same_bytes(self):
        options = (f"--calib={self.data}", "--weights=int5")
        dumps, whole, again = self.folder / "dumps", self.folder / "whole.lasnn", self.folder / "again.lasnn"
        self.compile(self.model, "-o", whole, *options, f"--dump-phases={dumps}")
        names = sorted(path.name for path in dumps.iterdir())
        self.assertEqual(names[0], "00.import.mlir")
        self.assertEqual(names[-1][3:], "verify-contract.mlir")
        self.assertEqual([name[3:-5] for name in names], ["import", "legalize", "fold-batch-norm", "fold-pool-scale", "fuse-layers", "calibrate", "quantize", "verify-contract"])
        for name in names:
            with self.subTest(phase=name):
                self.compile(f"--compile-from={dumps / name}", "-o", again, *options)
                self.assertEqual(again.read_bytes(), whole.read_bytes())
                again.unlink()
        self.assertIn("which this pipeline does not have", self.compile(f"--compile-from={dumps / '05.calibrate.mlir'}", "-o", again, code=1).stderr)
        self.assertIn("does not say which pass", self.compile(f"--compile-from={self.model}", "-o", again, code=1).stderr)
        self.assertIn("expected either MODEL or --compile-from", self.compile(self.model, f"--compile-from={self.model}", "-o", again, code=2).stderr)
        self.assertFalse(again.exists())

    def test_printing(self):
        out = self.folder / "p.lasnn"
        printed = lambda *flags: self.compile(self.model, "-o", out, *flags).stderr
        self.assertIn("IR Dump Before Quantize", printed("--mlir-print-ir-before=snn-quantize"))
        after = printed("--mlir-print-ir-after=snn-quantize,snn-fuse-layers")
        self.assertEqual(after.count("IR Dump After"), 2)
        self.assertIn("IR Dump After FoldBatchNorm", printed("--mlir-print-ir-after-all"))
        changed = printed("--mlir-print-ir-after-change")
        self.assertIn("IR Dump After Quantize", changed)
        self.assertNotIn("IR Dump After FoldBatchNorm", changed)  # there is none to fold
        out.unlink()

    def test_a_pass_that_fails_leaves_a_reproducer(self):
        bad, crash = self.folder / "bad.mlir", self.folder / "crash.mlir"
        bad.write_text(TINY.replace("snn.lif %2 {beta = 0.5 : f32, v_threshold = dense<0.5> : tensor<1xf32>}", "snn.relu %2"))
        self.compile(bad, "-o", self.folder / "no.lasnn", f"--mlir-pass-pipeline-crash-reproducer={crash}", code=1)
        self.assertIn("snn-fuse-layers", crash.read_text())
        crash.unlink(), bad.unlink()

    # --check-passes

    def test_every_pass_keeps_its_promise(self):
        told = self.compile(self.model, f"--check-passes={self.data}", f"--calib={self.data}").stdout
        self.assertIn("no pass moved a spike that it must not move (16 images)", told)
        self.assertIn("requantized", told)
        report = json.loads(self.compile(self.model, f"--check-passes={self.data}", "--check-passes-limit=3", "--json").stdout)
        self.assertEqual((report["good"], report["guilty"], report["images"]), (True, None, 3))
        self.assertEqual(report["passes"][1]["compared"], 3 * 4 * 128)

    def test_no_data_no_check(self):
        self.assertIn("nowhere", self.compile(self.model, "--check-passes=nowhere:x", code=1).stderr)

    # --check

    def test_check_of_several_targets(self):
        done = self.compile(self.model, "--check", "--target=x86,loihi1", "--json")
        report = json.loads(done.stdout)
        self.assertTrue(report["runs"])
        self.assertEqual([target["target"] for target in report["targets"]], ["x86", "loihi1"])
        layer = report["targets"][0]["layers"][0]
        self.assertEqual((layer["name"], layer["state"]), ("conv.lif", "ok"))
        self.assertIn(layer["state_bits"], (16, 24))
        self.assertIn("runs on target loihi1", self.compile(self.model, "--check", "--target=loihi1").stdout)

    def test_check_lists_what_each_target_refuses(self):
        report = json.loads(self.compile(self.model, "--check", "--target=x86,null", "--json", code=1).stdout)
        self.assertFalse(report["runs"])
        self.assertEqual([target["runs"] for target in report["targets"]], [True, False])
        refused = [finding for finding in report["findings"] if finding["target"] == "null"]
        self.assertGreaterEqual(len(refused), 3)
        for finding in refused:
            self.assertEqual((finding["severity"], finding["phase"], finding["code"]), ("error", "target", "TARGET"))
            self.assertIn("compile with --target=x86", finding["fix"])
        states = {layer["name"]: layer["state"] for layer in report["targets"][1]["layers"]}
        self.assertEqual(states["conv.lif"], "refused")

    def test_check_says_how_far_it_came(self):
        bad = self.folder / "worse.mlir"
        bad.write_text(TINY.replace("beta = 0.5", "beta = 1.5"))
        report = json.loads(self.compile(bad, "--check", "--json", code=1).stdout)
        self.assertEqual([finding["code"] for finding in report["findings"]], ["N9"])
        self.assertEqual(report["targets"][0]["not_checked"], "the importer refused the model")
        bad.write_text(TINY.replace("snn.lif %2 {beta = 0.5 : f32, v_threshold = dense<0.5> : tensor<1xf32>}", "snn.relu %2"))
        text = self.compile(bad, "--check", code=1).stdout
        self.assertIn("error [FLOAT]", text)
        self.assertIn("which was not asked: the passes in float form refused it", text)
        self.assertIn("a folder", self.compile(self.folder, "--check", code=1).stdout)
        self.assertIn("expected one of", self.compile(self.model, "--check", "--target=x86,vax", code=2).stderr)

    def test_what_does_not_fit_a_chip(self):
        chip = self.folder / "small.yaml"
        text = (SOURCE / "backends/loihi/targets/tiny.yaml").read_text()
        chip.write_text(text.replace("name: tiny", "name: small").replace("chips: {value: 64,", "chips: {value: 1,").replace("cores_per_chip: {value: 8,", "cores_per_chip: {value: 1,"))
        report = json.loads(self.compile(self.model, "--check", f"--target={chip}", "--json", code=1).stdout)
        self.assertIn("FIT", [finding["code"] for finding in report["findings"]])

    # lasnn-info

    def info(self, *arguments, code=0):
        done = subprocess.run([BIN / "lasnn-info", *map(str, arguments)], capture_output=True, text=True)
        self.assertEqual(done.returncode, code, f"{arguments}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
        return done

    def test_info_counts(self):
        artefact = self.folder / "i.lasnn"
        self.compile(self.model, "-o", artefact)
        source, integer = (json.loads(self.info(path, "--json").stdout) for path in (self.model, artefact))
        conv, fc = 2 * 9 * 64, 3 * 8  # an 8x8 image, 2 channels of 3x3; 8 to 3
        for told in (source, integer):
            self.assertEqual((told["neurons"], told["synapses"], told["macs"], told["weights"]), (2 * 64, conv + fc, 4 * (conv + fc), 18 + 24))
        self.assertEqual(source["parameters"], 18 + 2 + 24 + 1)
        self.assertEqual(source["memory"], {"weight_bytes": 4 * 42, "state_bytes": 4 * 128})
        run = json.loads(subprocess.run([BIN / "lasnn-run", artefact, f"--data={self.data}", "--device=interp", "--json"], capture_output=True, check=True).stdout)
        measured = json.loads(self.info(artefact, f"--data={self.data}", "--json").stdout)["measured"]
        self.assertEqual(measured["layers"][0]["spike_rate"], run["layers"][0]["spike_rate"])
        self.assertIn("synaptic operations a sample", self.info(artefact, f"--data={self.data}").stdout)
        artefact.unlink()

    def test_info_draws(self):
        graph = self.info(self.model, "--dot").stdout
        self.assertEqual(graph.count(" -> "), 8)
        self.assertIn('label="conv.lif\\nlif, 128 neurons"', graph)
        svg = self.folder / "g.svg"
        if shutil.which("dot"):
            self.info(self.model, f"--svg={svg}")
            self.assertIn("conv.lif", svg.read_text())
            svg.unlink()
        nowhere = subprocess.run([BIN / "lasnn-info", self.model, f"--svg={svg}"], capture_output=True, text=True, env={"PATH": "/nonexistent"})
        self.assertEqual(nowhere.returncode, 1)
        self.assertIn("needs Graphviz's 'dot'", nowhere.stderr)
        self.assertFalse(svg.exists())
        self.assertIn("go with a model alone", self.info(self.model, "--dot", "--json", code=2).stderr)


if __name__ == "__main__":
    unittest.main()
