"""lasnn-compile --target=cuda and what runs it. Usage: cuda_test.py BIN_FOLDER EMULATED_DRIVER EMULATED_NVRTC

No GPU and no CUDA toolkit: a stand-in for NVRTC gives code for the emulated driver, which runs the kernels' own source on the CPU.
"""
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import unittest

from npy import npy

BIN, DRIVER, NVRTC = (pathlib.Path(sys.argv.pop(1)).resolve() for _ in range(3))
TINY = pathlib.Path(__file__).with_name("tiny.mlir").read_text()
EMULATED = {"LASNN_CUDA_DRIVER": str(DRIVER), "LASNN_NVRTC": str(NVRTC)}
NO_GPU = {"LASNN_CUDA_DRIVER": "/no/libcuda.so", "LASNN_NVRTC": str(NVRTC)}


class Cuda(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.temporary.name)
        draw = random.Random(1)
        for split, count in (("train", 16), ("test", 21)):
            npy(cls.folder / f"{split}_images.npy", (count, 1, 8, 8), (draw.randrange(256) for _ in range(count * 64)))
            npy(cls.folder / f"{split}_labels.npy", (count,), (i % 3 for i in range(count)))
        cls.data = f"--data=npy:{cls.folder}"
        cls.model = cls.folder / "tiny.mlir"
        cls.model.write_text(TINY)
        cls.artefact, cls.x86 = cls.folder / "cuda.lasnn", cls.folder / "x86.lasnn"
        run = lambda *arguments: subprocess.run([BIN / "lasnn-compile", cls.model, *arguments], check=True, env={**os.environ, **EMULATED})
        run("-o", cls.artefact, "--target=cuda:sm_90")
        run("-o", cls.x86)

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def run_tool(self, name, *arguments, code=0, environment=EMULATED):
        done = subprocess.run([BIN / name, *map(str, arguments)], capture_output=True, text=True, env={**os.environ, **environment})
        self.assertEqual(done.returncode, code, f"{name} {arguments}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
        return done

    def refused(self, *arguments, code=1, says, **more):
        before = sorted(p.name for p in self.folder.iterdir())
        text = self.run_tool(*arguments, code=code, **more).stderr
        for one in [says] if isinstance(says, str) else says:
            self.assertIn(one, text)
        self.assertEqual(sorted(p.name for p in self.folder.iterdir()), before)

    def run_json(self, artefact, *arguments):
        return json.loads(self.run_tool("lasnn-run", artefact, self.data, "--json", *arguments).stdout)

    def compiled(self, *arguments, **more):
        out = self.folder / "more.lasnn"
        done = self.run_tool("lasnn-compile", self.model, "-o", out, *arguments, **more)
        data = out.read_bytes()
        out.unlink()
        return data, done

    def test_one_digest_in_any_batch(self):
        truth = self.run_json(self.x86)
        for arguments in ((), ("--batch=1",), ("--batch=8",), ("--batch=64",), ("--batch=4", "--threads=2")):
            run = self.run_json(self.artefact, *arguments)
            self.assertEqual(run["device"], "cuda")
            self.assertEqual((run["digest"], run["top1"]), (truth["digest"], truth["top1"]), arguments)
            self.assertEqual([(l["name"], l["neurons"], l["spike_rate"], l["clips"]) for l in run["layers"]],
                             [(l["name"], l["neurons"], l["spike_rate"], l["clips"]) for l in truth["layers"]], arguments)

    def test_verify_proves_it(self):
        report = json.loads(self.run_tool("lasnn-verify", self.model, self.artefact, self.data, "--limit=0", "--json").stdout)
        self.assertTrue(report["artefacts"][0]["proved"])
        self.assertEqual([c["different"] for c in report["artefacts"][0]["comparisons"] if c["bit_exact_required"]], [0])

    def test_without_a_gpu_nothing_is_proved(self):
        done = self.run_tool("lasnn-verify", self.model, self.artefact, self.data, code=1, environment=NO_GPU)
        self.assertIn("FAIL  the target was not run here: no CUDA driver", done.stdout)
        self.assertIn("NOT proved", done.stdout)

    def test_auto_says_what_it_took(self):
        self.assertIn("device cuda: what the file was compiled for", self.run_tool("lasnn-run", self.artefact, self.data).stderr)
        self.refused("lasnn-run", self.artefact, self.data, environment=NO_GPU, says=["no CUDA driver", "LASNN_CUDA_DRIVER"])

    def test_wrong_gpu_memory_and_driver(self):
        small = {**EMULATED, "LASNN_EMULATED_MEMORY": str(24 << 10)}
        self.refused("lasnn-run", self.artefact, self.data, "--batch=21", environment=small, says=["max_batch = 21", "fits"])
        old = {**EMULATED, "LASNN_EMULATED_CAPABILITY": "80"}
        self.refused("lasnn-run", self.artefact, self.data, environment=old, says=["sm_90", "--target=cuda:sm_80"])
        self.refused("lasnn-run", self.artefact, self.data, environment={**EMULATED, "LASNN_EMULATED_DRIVER": "10020"}, says="10.2")
        self.refused("lasnn-run", self.artefact, self.data, environment={**EMULATED, "LASNN_EMULATED_DEVICES": "0"}, says="counting GPUs")

    def test_targets_do_not_mix(self):
        self.refused("lasnn-run", self.artefact, self.data, "--device=x86", says="--target=x86")
        self.refused("lasnn-run", self.x86, self.data, "--device=cuda", says="--target=cuda")
        self.refused("lasnn-run", self.x86, self.data, "--batch=4", says="takes one image at a time")

    def test_what_it_was_compiled_for(self):
        self.assertEqual(json.loads(self.run_tool("lasnn-info", self.artefact, "--json").stdout)["targets"], ["cuda"])
        self.assertEqual(self.compiled("--target=cuda")[0], self.compiled("--target=cuda")[0])
        ptx, _ = self.compiled("--target=cuda:compute_80")
        self.assertIn(b".target sm_80", ptx)
        plan = self.run_tool("lasnn-compile", self.model, "--target=cuda", "--emit=plan").stdout
        for text in ("all steps at once", "one step", "registers", "sm_80", "sm_90a"):
            self.assertIn(text, plan)

    def test_kernels_can_be_forced(self):
        for kernel in ("event", "dense", "skip"):
            plan = self.run_tool("lasnn-compile", self.model, "--target=cuda", "--emit=plan", f"--kernel=fc:{kernel}", f"--kernel=conv.lif:event").stdout
            self.assertRegex(plan, rf"(?m)^ +fc +{kernel} ")
        self.refused("lasnn-compile", self.model, "-o", self.folder / "x", "--target=cuda", "--kernel=fc:abacus", says=["fc", "abacus", "event"])
        self.refused("lasnn-compile", self.model, "-o", self.folder / "x", "--target=cuda", "--kernel=nowhere:event", says="nowhere")
        self.refused("lasnn-compile", self.model, "-o", self.folder / "x", "--target=cuda", "--kernel=fc", code=2, says="LAYER:NAME")

    def test_spills_are_warned_of(self):
        report = self.folder / "report"
        _, done = self.compiled("--target=cuda:sm_90", f"--report={report}", environment={**EMULATED, "LASNN_EMULATED_SPILL": "12"})
        self.assertIn("warning: layer 'fc'", done.stderr)
        entry = json.loads((report / "compile.json").read_text())
        self.assertEqual({k["spilled_bytes"] for k in entry["kernels"]}, {12})
        self.assertTrue(entry["warnings"])
        for path in report.iterdir():
            path.unlink()
        report.rmdir()

    def test_what_cannot_be_compiled_for(self):
        self.refused("lasnn-compile", self.model, "-o", self.folder / "x", "--target=cuda:gtx", code=2, says="'gtx' is no architecture")
        self.refused("lasnn-compile", self.model, "-o", self.folder / "x", "--target=x86:sm_80", code=2, says="no variants")
        self.refused("lasnn-compile", self.model, "-o", self.folder / "x", "--target=cuda", environment={"LASNN_NVRTC": "/no/libnvrtc.so"}, says="LASNN_NVRTC")


if __name__ == "__main__":
    unittest.main()
