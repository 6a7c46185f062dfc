"""The tools as people use them. Usage: tools_test.py BIN_FOLDER

One small network and data set made here; no Fashion-MNIST, no network, nothing outside a temporary folder.
"""
import json
import os
import pathlib
import random
import stat
import subprocess
import sys
import tempfile
import unittest

from npy import npy

BIN = pathlib.Path(sys.argv.pop(1)).resolve()
TINY = pathlib.Path(__file__).with_name("tiny.mlir").read_text()


class Tools(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.temporary.name)
        draw = random.Random(1)
        for split, count in (("train", 96), ("test", 48)):
            npy(cls.folder / f"{split}_images.npy", (count, 1, 8, 8), (draw.randrange(256) for _ in range(count * 64)))
            npy(cls.folder / f"{split}_labels.npy", (count,), (i % 3 for i in range(count)))
        cls.data = f"--data=npy:{cls.folder}"
        cls.model = cls.folder / "tiny.mlir"
        cls.model.write_text(TINY)
        cls.artefact = cls.folder / "tiny.lasnn"
        subprocess.run([BIN / "lasnn-compile", cls.model, "-o", cls.artefact], check=True)

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def run_tool(self, name, *arguments, code=0, stdin=None, environment=None):
        done = subprocess.run([BIN / name, *map(str, arguments)], input=stdin, capture_output=True, env={**os.environ, **(environment or {})})
        self.assertEqual(done.returncode, code, f"{name} {arguments}\n{done.stdout[-2000:]}\n{done.stderr.decode()[-2000:]}")
        return done

    def refused(self, name, *arguments, code=1, says, **more):
        """The command fails with `says` in its message, and leaves no new file behind."""
        before = sorted(p.name for p in self.folder.iterdir())
        text = self.run_tool(name, *arguments, code=code, **more).stderr.decode()
        self.assertIn(says, text)
        self.assertEqual(sorted(p.name for p in self.folder.iterdir()), before)

    def run_json(self, *arguments, **more):
        return json.loads(self.run_tool("lasnn-run", self.artefact, self.data, "--json", *arguments, **more).stdout)

    def isas(self):
        flags = pathlib.Path("/proc/cpuinfo").read_text()
        return ["scalar"] + [isa for isa, flag in (("avx2", " avx2 "), ("avx512", " avx512_vbmi2 ")) if flag in flags]

    # the way through

    def test_text_ends_where_its_file_ends(self):
        # The byte behind a model in memory is what MLIR's parser ends at: glibc fills fresh memory with something else here.
        fresh = {**os.environ, "MALLOC_PERTURB_": "85"}
        for padding in range(64):
            model = self.folder / "padded.mlir"
            model.write_text(TINY.rstrip() + "\n" + " " * padding)
            told = subprocess.run([BIN / "lasnn-info", model], capture_output=True, text=True, env=fresh)
            self.assertEqual(told.returncode, 0, told.stderr)

    def test_every_device_gives_one_digest(self):
        truth = self.run_json("--device=interp")
        self.assertEqual(truth["images"], 48)
        self.assertGreater(truth["spike_rate"], 0.01)
        for isa in self.isas():
            for run in (self.run_json("--device=x86", f"--isa={isa}"), self.run_json(environment={"LASNN_ISA": isa}), self.run_json("--threads=3")):
                self.assertEqual((run["digest"], run["top1"]), (truth["digest"], truth["top1"]))
                self.assertEqual([(l["name"], l["spike_rate"], l["synops"]) for l in run["layers"]],
                                 [(l["name"], l["spike_rate"], l["synops"]) for l in truth["layers"]])

    def test_a_mapped_chip_gives_the_networks_digest(self):
        integer, chip = self.folder / "chip-int.mlir", self.folder / "tiny.lmap"
        self.run_tool("lasnn-compile", self.model, "--target=loihi1", "--emit=snn-int", "-o", integer)
        self.run_tool("lasnn-compile", self.model, "--target=loihi1", "-o", chip)
        truth = json.loads(self.run_tool("lasnn-run", integer, self.data, "--device=interp", "--json").stdout)
        runs = [json.loads(self.run_tool("lasnn-run", chip, self.data, "--json", *more).stdout) for more in ((), ("--device=loihi",), ("--threads=3",))]
        runs.append(json.loads(self.run_tool("lasnn-run", "-", self.data, "--json", stdin=chip.read_bytes()).stdout))
        for run in runs:
            self.assertEqual((run["device"], run["isa"], run["images"]), ("loihi", "loihi1", 48))
            self.assertEqual((run["digest"], run["top1"]), (truth["digest"], truth["top1"]))
            self.assertEqual(run["layers"][0]["spike_rate"], truth["layers"][0]["spike_rate"])
            self.assertEqual((run["chip"]["exact"], run["chip"]["per_image"]), (True, runs[0]["chip"]["per_image"]))
            energy = {each["profile"]: each for each in run["chip"]["energy"]}
            self.assertEqual(sorted(energy), ["davies2018", "nahuku"])
            parts = energy["nahuku"]["pj_per_image"]
            self.assertAlmostEqual(parts["synapse"] + parts["neuron"] + parts["network"], parts["total"])
            self.assertIn("message_out.energy", energy["davies2018"]["left_out"])
        text = self.run_tool("lasnn-run", chip, self.data, "--profile").stdout.decode()
        self.assertIn("left out, for nobody published them: barrier_energy", text)
        self.refused("lasnn-run", chip, self.data, "--device=x86", says="is a network mapped onto a chip, which --device=x86 cannot run")
        self.refused("lasnn-run", self.artefact, self.data, "--device=loihi", says="is no .lmap, which --device=loihi needs; compile it with lasnn-compile --target=loihi1")
        self.refused("lasnn-run", "-", self.data, stdin=chip.read_bytes()[:-7], says="'stdin': ")
        self.run_tool("lasnn-compile", self.model, "--target=loihi1", "--emit=sanafe", "-o", self.folder / "fe")
        self.assertIn("model: leaky_integrate_fire", (self.folder / "fe.arch.yaml").read_text())
        self.assertIn("mappings:", (self.folder / "fe.net.yaml").read_text())

    def test_same_input_same_bytes_through_files_and_pipes(self):
        again = self.folder / "again.lasnn"
        self.run_tool("lasnn-compile", self.model, "-o", again)
        self.assertEqual(again.read_bytes(), self.artefact.read_bytes())
        piped = self.run_tool("lasnn-compile", "-", "-o", "-", stdin=TINY.encode()).stdout
        self.assertEqual(len(piped) > 0 and piped[:5], b"LASNN")
        again.unlink()

    def test_verify_proves_what_was_compiled(self):
        report = json.loads(self.run_tool("lasnn-verify", self.model, self.artefact, self.data, "--limit=0", "--json").stdout)
        self.assertTrue(report["proved"])
        self.run_tool("lasnn-verify", self.model, self.data)  # compiled in memory

    def test_verify_refuses_another_network(self):
        other_model, other = self.folder / "other.mlir", self.folder / "other.lasnn"
        other_model.write_text(TINY.replace("dense<[[0.5,", "dense<[[-2.5,"))
        self.run_tool("lasnn-compile", other_model, "-o", other)
        out = self.run_tool("lasnn-verify", self.model, other, self.data, "--max-drop=100", code=1).stdout.decode()
        self.assertIn("FAIL  the artefact was compiled from this model", out)
        self.assertEqual(out.count("FAIL"), 1)
        other_model.unlink(), other.unlink()

    def test_verify_judges_accuracy(self):
        out = self.run_tool("lasnn-verify", self.model, self.artefact, self.data, "--max-drop=-100", code=1).stdout.decode()
        self.assertIn("FAIL  quantization", out)
        self.assertEqual(out.count("FAIL"), 1)

    def test_verify_proves_a_mapped_chip(self):
        chip, wrong = self.folder / "proved.lmap", self.folder / "wrong.lmap"
        self.run_tool("lasnn-compile", self.model, "--target=loihi1", "-o", chip)
        report = json.loads(self.run_tool("lasnn-verify", self.model, chip, self.artefact, self.data, "--limit=0", "--json").stdout)
        self.assertTrue(report["proved"])
        self.assertIn("loihi1", json.dumps(report))
        for part in ("host", "memory"):  # the checker has no network to compare with
            subprocess.run([BIN / "loihi_tamper", chip, wrong, part], check=True)
            self.run_tool("lasnn-info", wrong)
            out = self.run_tool("lasnn-verify", self.model, wrong, self.data, "--max-drop=100", code=1).stdout.decode()
            self.assertIn("NOT proved", out)
        wrong.unlink()
        self.run_tool("lasnn-compile", self.model, "--target=loihi2", "--weights=int4", self.data.replace("--data", "--calib"), "--calib-limit=20", "-o", chip)
        self.refused("lasnn-verify", self.model, chip, self.data, says="so give --calib=SET:DIR with the same set")
        self.run_tool("lasnn-verify", self.model, chip, self.data, self.data.replace("--data", "--calib"), "--max-drop=100")
        chip.unlink()

    def test_stages_can_be_printed_and_read_back(self):
        integer = self.run_tool("lasnn-compile", self.model, "--emit=snn-int").stdout
        self.assertIn(b"current_bits", integer)
        self.assertIn(b"snn.layer", self.run_tool("lasnn-compile", self.model, "--emit=snn").stdout)
        self.assertIn(b"kernel 3x3", self.run_tool("lasnn-compile", self.model, "--emit=plan").stdout)
        copy = self.folder / "from-int.lasnn"
        self.run_tool("lasnn-compile", "-", "-o", copy, stdin=integer)
        digest = json.loads(self.run_tool("lasnn-run", copy, self.data, "--json").stdout)["digest"]
        self.assertEqual(digest, self.run_json()["digest"])
        copy.unlink()

    def test_info_names_layers_and_source(self):
        info = json.loads(self.run_tool("lasnn-info", self.artefact, "--json").stdout)
        self.assertEqual(info["provenance"]["source"], "tiny.mlir")
        self.assertIn("conv.lif", [op["name"] for op in info["operations"]])

    def test_trained_here_compiled_here(self):
        if not (BIN / "lasnn-distill").exists():
            self.skipTest("lasnn-distill is not built (no LibTorch)")
        teacher, student, onnx, artefact = (self.folder / name for name in ("t.pt", "s.pt", "s.onnx", "s.lasnn"))
        self.run_tool("lasnn-distill", "teacher", self.data, "-o", teacher, "--arch=mlp", "--epochs=1", "--batch=32")
        self.run_tool("lasnn-distill", "student", self.data, f"--teacher={teacher}", "-o", student, "-T", 3, "--epochs=1", "--batch=32")
        self.run_tool("lasnn-distill", "export", student, "-o", onnx)
        self.run_tool("lasnn-compile", onnx, "-o", artefact, f"--calib=npy:{self.folder}", "--calib-limit=32")
        self.run_tool("lasnn-verify", onnx, artefact, self.data, "--max-drop=20")
        for path in (teacher, student, onnx, artefact):
            path.unlink()

    def test_events_from_recordings_to_every_device(self):
        if not (BIN / "lasnn-distill").exists():
            self.skipTest("lasnn-distill is not built (no LibTorch)")
        draw = random.Random(2)
        with tempfile.TemporaryDirectory() as place:
            place = pathlib.Path(place)
            for split, count in (("train", 12), ("test", 6)):
                for digit in range(3):  # a digit's events lie in a third of the sensor
                    folder = place / "set" / split / str(digit)
                    folder.mkdir(parents=True)
                    for i in range(count):
                        events = bytearray()
                        for us in range(0, 60000, 100):
                            x, y = draw.randrange(34), 11 * digit + draw.randrange(12)
                            events += bytes([x, y]) + (draw.randrange(2) << 23 | us).to_bytes(3, "big")
                        (folder / f"{i}.bin").write_bytes(events)
            bare = f"--data=nmnist:{place}/set"
            data = bare + "?size=17&max-count=3"
            arch = place / "arch.json"
            arch.write_text('[{"name": "c1", "conv": [8, 3, 2, 1]}, {"name": "fc", "linear": 0, "readout": true}]')
            self.run_tool("lasnn-distill", "teacher", data, f"--arch={arch}", "-o", place / "t.pt", "--epochs=2", "--batch=12")
            self.run_tool("lasnn-distill", "student", data, f"--teacher={place}/t.pt", "-o", place / "s.pt", "-T", 3, "--epochs=3", "--batch=12",
                          "--augment=translate:2,roll:1")
            trained = json.loads(self.run_tool("lasnn-distill", "eval", place / "s.pt", data, "--json").stdout)
            self.run_tool("lasnn-distill", "eval", place / "s.pt", bare + "?size=17&max-count=3&window=time", code=1)
            self.run_tool("lasnn-distill", "export", place / "s.pt", "-o", place / "s.onnx")
            self.run_tool("lasnn-compile", place / "s.onnx", "-o", place / "s.lasnn", f"--calib={data[7:]}", "--calib-limit=20")
            # T and max_count come from the model, so the spec may leave them out.
            spec = bare + "?size=17"
            source = json.loads(self.run_tool("lasnn-run", place / "s.onnx", spec, "--json").stdout)
            self.assertAlmostEqual(source["top1"] / 100, trained["top1"], delta=1 / 18 + 1e-9)
            truth = json.loads(self.run_tool("lasnn-run", place / "s.lasnn", spec, "--device=interp", "--json").stdout)
            self.assertEqual(truth["images"], 18)
            self.assertGreater(truth["spike_rate"], 0.001)
            for isa in self.isas():
                run = json.loads(self.run_tool("lasnn-run", place / "s.lasnn", spec, f"--isa={isa}", "--json").stdout)
                self.assertEqual((run["digest"], run["top1"]), (truth["digest"], truth["top1"]))
            self.run_tool("lasnn-verify", place / "s.onnx", place / "s.lasnn", spec, "--max-drop=40")
            self.refused("lasnn-run", place / "s.lasnn", spec + "&frames=9", says="T = 3")
            self.refused("lasnn-run", place / "s.lasnn", self.data, says="rule E3: the network takes 3 frames")
            self.refused("lasnn-run", self.artefact, spec, says="rule E1")
            broken = place / "set/test/1/0.bin"
            broken.write_bytes(broken.read_bytes()[:-2])
            self.refused("lasnn-run", place / "s.lasnn", spec, says="test/1/0.bin")
            skipped = self.run_tool("lasnn-run", place / "s.lasnn", spec, "--skip-corrupt", "--json")
            self.assertEqual(json.loads(skipped.stdout)["images"], 17)
            self.assertIn("1 of 18 records is damaged and left out", skipped.stderr.decode())

    # what wrong input is told

    def test_wrong_command_lines_exit_2(self):
        self.refused("lasnn-compile", self.model, "--target=loihi1", "--objective=speed", "-o", self.folder / "x.lmap", code=2, says="expected cores, energy, latency")
        self.refused("lasnn-compile", self.model, code=2, says="-o OUT is missing")
        self.refused("lasnn-compile", self.model, "-o", self.folder / "x", "--bogus", code=2, says="--bogus")
        self.refused("lasnn-compile", self.model, "-o", self.folder / "x", "--target=vax", code=2, says="expected one of: x86, ")
        self.refused("lasnn-run", self.artefact, code=2, says="--data")
        self.refused("lasnn-run", self.artefact, self.data, "--isa=sse9", code=2, says="sse9")
        self.refused("lasnn-verify", code=2, says="model")

    def test_models_that_cannot_be_compiled(self):
        out = self.folder / "x.lasnn"
        compile_text = lambda text, says: self.refused("lasnn-compile", "-", "-o", out, stdin=text.encode(), says=says)
        compile_text(TINY.replace("timesteps = 4", "timesteps = 0"), "rule S1: timesteps is 0, expected 1 to 65535")
        compile_text(TINY.replace("[[0.5, -0.2", "[[0x7FC00000, -0.2"), "rule T3: weight holds NaN")
        compile_text(TINY.replace("beta = 0.5", "beta = 1.5"), "rule N9: beta is 1.5")
        compile_text(TINY[:400], "error")
        compile_text("", "is empty")
        self.refused("lasnn-compile", "-", "-o", out, stdin=bytes(random.Random(2).randbytes(3000)), says="not an ONNX model")
        self.refused("lasnn-compile", self.folder / "no.onnx", "-o", out, says="No such file")
        self.refused("lasnn-compile", self.folder, "-o", out, says="it is a folder")
        self.refused("lasnn-compile", self.artefact, "-o", out, says="is an artefact already")
        self.refused("lasnn-compile", self.model, "-o", out, "--target=null", says="'conv.lif': backend null")

    def test_calibration_sets_that_cannot_be_used(self):
        out = self.folder / "x.lasnn"
        calibrate = lambda spec, *more, says: self.refused("lasnn-compile", self.model, "-o", out, f"--calib={spec}", *more, says=says)
        calibrate(f"npy:{self.folder}", "--calib-limit=0", says="the calibration set is empty")
        calibrate("npy:/nowhere", says="/nowhere")
        calibrate(f"moon:{self.folder}", says="moon")
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            npy(folder / "train_images.npy", (4, 1, 5, 5), [0] * 100)
            npy(folder / "train_labels.npy", (4,), [0, 1, 2, 0])
            calibrate(f"npy:{folder}", says="25")

    def test_targets_that_cannot_be_written(self):
        self.refused("lasnn-compile", self.model, "-o", self.folder / "no" / "x.lasnn", says="cannot write")
        self.refused("lasnn-compile", self.model, "-o", self.folder, says="it is a folder")
        if os.path.exists("/dev/full") and stat.S_ISCHR(os.stat("/dev/full").st_mode):
            self.refused("lasnn-compile", self.model, "-o", "/dev/full", says="No space left on device")
            self.assertTrue(stat.S_ISCHR(os.stat("/dev/full").st_mode))

    def test_data_that_does_not_fit(self):
        run = lambda *arguments, says: self.refused("lasnn-run", self.artefact, *arguments, says=says)
        run("--data=npy:/nowhere", says="/nowhere")
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            npy(folder / "test_images.npy", (4, 1, 5, 5), [0] * 100)
            npy(folder / "test_labels.npy", (4,), [0, 1, 2, 0])
            run(f"--data=npy:{folder}", says="25 bytes, the network takes 64")
            (folder / "test_images.npy").write_bytes((folder / "test_images.npy").read_bytes()[:-1])
            run(f"--data=npy:{folder}", says="test_images.npy")

    def test_damaged_artefacts(self):
        good, bad = self.artefact.read_bytes(), self.folder / "bad.lasnn"
        draw = random.Random(3)
        bad.touch()
        for position in [*range(0, 64, 5), *(draw.randrange(len(good)) for _ in range(20))]:
            flipped = bytearray(good)
            flipped[position] ^= 1 << draw.randrange(8)
            bad.write_bytes(flipped)
            self.refused("lasnn-run", bad, self.data, says="error")
        bad.write_bytes(good[: len(good) // 2])
        self.refused("lasnn-info", bad, says="truncated")
        bad.unlink()

    def test_every_tool_helps(self):
        for name in ("lasnn-compile", "lasnn-run", "lasnn-verify", "lasnn-info"):
            self.assertIn(b"--help", self.run_tool(name, "--help").stdout)
            self.assertEqual(self.run_tool(name, "--version").stdout.decode().strip(), f"{name} 0.1.0")


if __name__ == "__main__":
    unittest.main(verbosity=1)
