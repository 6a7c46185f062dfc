"""Reports on mappings as people ask for them. Usage: reports_test.py BIN_FOLDER SOURCE_FOLDER

lasnn-compile --report and --sweep, lasnn-info on .lmap and --diff, lasnn-run --report. Where python3-jsonschema is
installed, it judges report.json too; the C++ tests have a check of their own.
"""
import csv
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import unittest

from npy import npy

SOURCE = pathlib.Path(sys.argv.pop(2)).resolve()
BIN = pathlib.Path(sys.argv.pop(1)).resolve()
FILES = {"report.html", "report.txt", "report.json", "cores.csv", "links.csv"}


class Reports(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.temporary.name)
        draw = random.Random(1)
        for split in ("train", "test"):
            npy(cls.folder / f"{split}_images.npy", (24, 1, 8, 8), (draw.randrange(256) for _ in range(24 * 64)))
            npy(cls.folder / f"{split}_labels.npy", (24,), (i % 3 for i in range(24)))
        cls.model = cls.folder / "tiny.mlir"
        cls.model.write_text(pathlib.Path(__file__).with_name("tiny.mlir").read_text())
        cls.mapped = cls.folder / "a.lmap"
        cls.compile = cls.run_tool("lasnn-compile", cls.model, "--target=loihi1", f"--calib=npy:{cls.folder}", "-o", cls.mapped, f"--report={cls.folder}/a")

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    @staticmethod
    def run_tool(tool, *arguments):
        return subprocess.run([BIN / tool, *map(str, arguments)], capture_output=True, text=True, timeout=60)

    def report(self, name):
        self.assertLessEqual(FILES, {path.name for path in (self.folder / name).iterdir()})
        data = json.loads((self.folder / name / "report.json").read_text())
        try:
            import jsonschema
            jsonschema.validate(data, json.loads((SOURCE / "docs/loihi-report.schema.json").read_text()))
        except ImportError:
            print("python3-jsonschema is not installed: report.json judged by the C++ tests alone", file=sys.stderr)
        return data

    def test_compile_leaves_a_report(self):
        self.assertEqual(self.compile.returncode, 0, self.compile.stderr)
        data = self.report("a")
        self.assertTrue(data["header"]["fits"])
        self.assertTrue(data["network"]["assumed"])
        self.assertIsNone(data["summary"]["energy_per_inference_pj"])
        self.assertEqual(sum(core["neurons"] for core in data["cores"]), data["summary"]["neurons"])
        self.assertIn("sequential", " ".join(one["name"] for one in data["comparison"]))

    def test_info_tells_the_same(self):
        told = self.run_tool("lasnn-info", self.mapped, "--json")
        self.assertEqual(told.returncode, 0, told.stderr)
        told, written = json.loads(told.stdout), self.report("a")
        for section in ("summary", "layers", "cores", "network", "verification"):
            self.assertEqual(told[section], written[section], section)
        self.assertEqual(told["header"]["mapping_hash"], written["header"]["mapping_hash"])
        self.assertIn(f"FITS: {written['header']['verdict']}", self.run_tool("lasnn-info", self.mapped).stdout)

    def test_run_reports_what_was_simulated(self):
        run = self.run_tool("lasnn-run", self.mapped, f"--data=npy:{self.folder}", "--json", "--threads=2", f"--report={self.folder}/run")
        self.assertEqual(run.returncode, 0, run.stderr)
        data, told = self.report("run"), json.loads(run.stdout)
        self.assertFalse(data["network"]["assumed"])
        self.assertAlmostEqual(data["verification"]["accuracy_mapping"], told["top1"], places=2)
        nahuku = next(one for one in told["chip"]["energy"] if one["profile"] == "nahuku")
        ours = next(one for one in data["time"]["profiles"] if one["name"] == "nahuku")
        self.assertAlmostEqual(ours["energy_pj"] / nahuku["pj_per_image"]["total"], 1, places=9)
        steps = data["header"]["timesteps"]
        self.assertAlmostEqual(data["summary"]["packets_per_step"] * steps, told["chip"]["per_image"]["messages"], places=6)
        links = sum(link["messages_per_step"] for link in data["network"]["links"] if link["direction"] != "chip")
        self.assertAlmostEqual(links * steps, told["chip"]["per_image"]["hops"], places=6)

    def test_diff(self):
        other = self.folder / "b.lmap"
        self.assertEqual(self.run_tool("lasnn-compile", self.model, "--target=loihi1", "--weights=int4", "-o", other).returncode, 0)
        self.assertIn("the same mapping", self.run_tool("lasnn-info", "--diff", self.mapped, self.mapped).stdout)
        text = self.run_tool("lasnn-info", "--diff", self.mapped, other).stdout
        self.assertIn("--weights=int4", text)
        self.assertIn("synapse words", text)
        self.assertFalse(json.loads(self.run_tool("lasnn-info", "--json", "--diff", self.mapped, other).stdout)["same"])
        refused = self.run_tool("lasnn-info", "--diff", self.mapped, self.model)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("tiny.mlir': not an .lmap", refused.stderr)

    def test_a_damaged_file_is_refused(self):
        damaged = self.folder / "damaged.lmap"
        content = bytearray(self.mapped.read_bytes())
        content[len(content) // 2] ^= 1
        damaged.write_bytes(content)
        told = self.run_tool("lasnn-info", damaged)
        self.assertEqual(told.returncode, 1)
        self.assertIn("damaged", told.stderr)

    def test_what_does_not_fit_has_a_report(self):
        chip = self.folder / "small.yaml"
        text = (SOURCE / "backends/loihi/targets/tiny.yaml").read_text()
        chip.write_text(text.replace("name: tiny", "name: small").replace("chips: {value: 64,", "chips: {value: 1,").replace("cores_per_chip: {value: 8,", "cores_per_chip: {value: 1,"))
        told = self.run_tool("lasnn-compile", self.model, f"--target={chip}", "-o", self.folder / "none.lmap", f"--report={self.folder}/none")
        self.assertEqual(told.returncode, 1, told.stdout)
        self.assertIn("does not fit target", told.stderr)
        self.assertFalse((self.folder / "none.lmap").exists())
        data = self.report("none")
        self.assertFalse(data["header"]["fits"])
        self.assertGreater(data["violations"][0]["needed"], data["violations"][0]["allowed"])
        self.assertTrue(data["violations"][0]["cure"])

    def test_sweep(self):
        file = self.folder / "sweep.yaml"
        file.write_text(f"targets: [loihi1, tiny]\nweights: [int8, int4]\nobjectives: [cores, energy]\ndata: npy:{self.folder}\nlimit: 8\n")
        told = self.run_tool("lasnn-compile", self.model, f"--sweep={file}", "--effort=0", f"--report={self.folder}/sweep")
        self.assertEqual(told.returncode, 0, told.stderr)
        with (self.folder / "sweep/sweep.csv").open(newline="") as table:
            rows = list(csv.DictReader(table))
        self.assertEqual(len(rows), 8)
        self.assertEqual({row["target"] for row in rows}, {"loihi1", "tiny"})
        self.assertTrue(any(row["best"] == "1" for row in rows))
        self.assertTrue(all(row["energy_pj"] and row["accuracy_percent"] for row in rows if row["fits"] == "1"))
        self.assertNotIn("src=", (self.folder / "sweep/sweep.html").read_text().split("<script")[0])
        file.write_text("target: loihi1\n")
        told = self.run_tool("lasnn-compile", self.model, f"--sweep={file}")
        self.assertEqual(told.returncode, 1)
        self.assertIn("key 'target' is unknown, expected targets", told.stderr)


if __name__ == "__main__":
    unittest.main()
