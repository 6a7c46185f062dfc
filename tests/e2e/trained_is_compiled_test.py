#!/usr/bin/env python3
"""What the trainer evaluates is what the compiled network computes. Usage: trained_is_compiled_test.py BIN_FOLDER DUMP_STEPS

Random small networks on random images, trained for a step or two. Students in integers: predictions, all logits (their digest) and
every layer's number of spikes are equal to the bit between `lasnn-distill eval`, the interpreter and the x86 runtime. Float
students: every spike of every step equals the interpreter's on the imported file, but where a membrane lay within rounding of
its threshold; the first such spike of an image is looked up and measured.
"""
import array
import json
import math
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tools"))
from npy import npy  # noqa: E402

BIN, DUMP = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
del sys.argv[1:3]
IMAGES = 40


def random_network(draw, size=8, recurrent=False):
    """Convolutions (grouped and depthwise too) and linear layers, pools of both kinds behind neurons and before them, shortcuts, with and
    without normalisation."""
    nodes, channels = [], 2
    for k in range(draw.randint(1, 3)):
        kernel, stride = draw.choice([1, 3]), draw.choice([1, 1, 2])
        out = draw.randint(3, 7)
        node = {"name": f"c{k}", "conv": [out, kernel, stride, kernel // 2], "bn": draw.random() < 0.7}
        if recurrent and draw.random() < 0.5:  # its own spikes of the step before
            node["recurrent"] = {"name": f"c{k}.back", "conv": [out, 3, 1, 1]}
        elif k and draw.random() < 0.6:  # another path to the same neurons
            node["shortcut"] = {"name": f"c{k}.short", "from": nodes[-1]["name"], "conv": [out, 1, stride, 0], "bn": draw.random() < 0.7}
        elif draw.random() < 0.4:
            groups = draw.choice([0, 2] if channels % 2 == 0 else [0])
            node["conv"][0] = out = (groups or channels) * draw.randint(1, 2 if channels > 3 else 3)
            node["groups"] = groups
        size = (size + 2 * (kernel // 2) - kernel) // stride + 1
        if "shortcut" not in node and "recurrent" not in node and stride == 1 and size >= 4 and draw.random() < 0.3:
            node["pool"] = [draw.choice(["avg", "max"]), 2]
            size //= 2
        nodes.append(node)
        channels = out
        if size >= 4 and draw.random() < 0.6:
            nodes.append({"name": f"p{k}", draw.choice(["maxpool", "avgpool"]): draw.choice([2, 3])})
            size //= nodes[-1].get("maxpool", nodes[-1].get("avgpool"))
    if draw.random() < 0.5 or recurrent:
        nodes.append({"name": "h", "linear": draw.randint(4, 9)})
    if recurrent:
        nodes[-1]["recurrent"] = {"name": "h.back", "linear": nodes[-1]["linear"]}
    nodes.append({"name": "fc", "linear": 0, "readout": True, "bn": draw.random() < 0.3})
    return nodes


def options(draw):
    neuron = draw.choice(["lif", "lif", "if", "plif"])
    learned = [] if neuron == "if" or draw.random() < 0.7 else ["--learn-decay"]
    threshold = draw.choice(["none", "none", "layer", "channel"])
    return [f"--neuron={neuron}", f"--learn-threshold={threshold}", *learned, f"--reset={draw.choice(['zero', 'subtract'])}", f"-T{draw.randint(1, 5)}", f"--v-threshold={draw.choice([0.4, 1.0])}",
            f"--beta={draw.choice([0.5, 0.77])}"]


class TrainedIsCompiled(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.temporary.name)
        draw = random.Random(3)
        for split in ("train", "test"):
            npy(cls.folder / f"{split}_images.npy", (IMAGES, 2, 8, 8), (draw.randrange(256) for _ in range(IMAGES * 128)))
            npy(cls.folder / f"{split}_labels.npy", (IMAGES,), (i % 5 for i in range(IMAGES)))
        cls.data = f"--data=npy:{cls.folder}"

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def tool(self, name, *words):
        done = subprocess.run([BIN / name, *map(str, words)], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, f"{name} {words}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
        return done.stdout

    def train(self, out, *words):
        self.tool("lasnn-distill", "student", self.data, "--no-distill", "--epochs=2", "--batch=20", "--lr=0.01", "-o", out, *words)

    def float_student(self, seed, recurrent=False):
        draw = random.Random(seed)
        arch, student = self.folder / f"arch{seed}.json", self.folder / f"float{seed}.pt"
        arch.write_text(json.dumps({"name": f"random{seed}", "nodes": random_network(draw, recurrent=recurrent)}))
        self.train(student, "--init=random", f"--arch={arch}", f"--seed={seed}", *options(draw))
        return draw, student

    def spikes(self, report):
        return {layer["name"]: round(layer["spike_rate"] * layer["neurons"] * IMAGES * report["timesteps"]) for layer in report["layers"]}

    def check_integers(self, student, weights):
        """Export, compile, run; the trainer's numbers are the truth."""
        truth = json.loads(self.tool("lasnn-distill", "eval", student, self.data, "--json"))
        self.assertEqual(truth["weights"], weights)
        model, artefact = student.with_suffix(".onnx"), student.with_suffix(".lasnn")
        self.tool("lasnn-distill", "export", student, "-o", model)
        self.tool("lasnn-compile", model, "-o", artefact)
        for device in ("interp", "x86"):
            run = json.loads(self.tool("lasnn-run", artefact, self.data, f"--device={device}", "--json"))
            run["timesteps"] = truth["timesteps"]
            self.assertEqual(self.spikes(run), self.spikes(truth), f"{device}, {student.name}")
            self.assertEqual(run["digest"], truth["digest"], f"{device}, {student.name}")
            self.assertAlmostEqual(run["top1"], 100 * truth["top1"], places=9)
            self.assertEqual(sum(layer["clips"] for layer in run["layers"]), 0)
        return truth

    def test_trained_in_integers(self):
        busy = 0
        for seed, weights in enumerate(["int8", "int4", "int3", "int2", "int7,fc=int8", "int6", "int4,c0=int8", "int5", "int4", "int8"], start=1):
            with self.subTest(seed=seed, weights=weights):
                draw, student = self.float_student(seed)
                quantized = self.folder / f"q{seed}.pt"
                self.train(quantized, f"--init={student}", f"--weights={weights}", f"--weight-unit={draw.choice(['learned', 'learned', 'best', 'max'])}",
                           f"--workers={draw.choice([1, 2])}", f"--augment={draw.choice(['none', 'crop-flip-cutout'])}")
                truth = self.check_integers(quantized, weights)
                busy += truth["spike_rate"] > 0.01
        self.assertGreaterEqual(busy, 5, "too few of the random networks spike for this test to mean something")

    def test_events(self):
        """Recordings in N-MNIST's form, as frames of counts."""
        draw = random.Random(5)
        folder = self.folder / "events"
        for split in ("train", "test"):
            for index in range(IMAGES):
                path = folder / split / str(index % 10) / f"{index}.bin"
                path.parent.mkdir(parents=True, exist_ok=True)
                events, time = bytearray(), 0
                for _ in range(draw.randint(50, 400)):
                    time += draw.randrange(300)
                    events += bytes([draw.randrange(34), draw.randrange(34), draw.randrange(2) << 7 | time >> 16 & 127, time >> 8 & 255, time & 255])
                path.write_bytes(events)
        for seed, weights in ((31, "int8"), (32, "int4")):
            with self.subTest(seed=seed, weights=weights):
                draw = random.Random(seed)
                arch, student, quantized = (self.folder / f"{name}{seed}.{end}" for name, end in (("arch", "json"), ("events", "pt"), ("q", "pt")))
                arch.write_text(json.dumps({"name": f"random{seed}", "nodes": random_network(draw, 34)}))
                data, self.data = self.data, f"--data=nmnist:{folder}?max-count=7"
                try:
                    self.train(student, "--init=random", f"--arch={arch}", *options(draw))
                    self.train(quantized, f"--init={student}", f"--weights={weights}")
                    self.check_integers(quantized, weights)
                finally:
                    self.data = data

    def test_rounded_after_training(self):
        for seed, weights in ((11, "int8"), (12, "ternary"), (13, "int4")):
            with self.subTest(seed=seed, weights=weights):
                draw, student = self.float_student(seed)
                rounded = self.folder / f"r{seed}.pt"
                self.tool("lasnn-distill", "quantize", student, f"--weights={weights}", f"--weight-unit={draw.choice(['best', 'max'])}", "-o", rounded)
                self.check_integers(rounded, weights.replace("ternary", "int2"))

    def test_recurrent_student(self):
        """The architecture `rnn`: trained in float (the trainer has no integer form of it), rounded by the compiler. Its spikes go back at
        every step, and every device gives the same."""
        student = self.folder / "rnn.pt"
        self.train(student, "--init=random", "--arch=rnn", "-T4", "--v-threshold=0.4")
        model, artefact = student.with_suffix(".onnx"), student.with_suffix(".lasnn")
        self.tool("lasnn-distill", "export", student, "-o", model)
        self.tool("lasnn-compile", model, "-o", artefact, "--weights=int8", f"--calib=npy:{self.folder}")
        info = self.tool("lasnn-info", artefact, "--json")
        self.assertIn('"delay"', info)
        runs = [json.loads(self.tool("lasnn-run", artefact, self.data, f"--device={device}", "--json")) for device in ("interp", "x86")]
        self.assertEqual(runs[0]["digest"], runs[1]["digest"])
        self.assertEqual([layer["spike_rate"] for layer in runs[0]["layers"]], [layer["spike_rate"] for layer in runs[1]["layers"]])
        truth = json.loads(self.tool("lasnn-distill", "eval", student, self.data, "--json"))
        rates = {layer["name"]: layer["spike_rate"] for layer in truth["layers"]}
        for layer in runs[0]["layers"]:  # rounding to 8 bits moves few spikes
            self.assertGreater(rates[layer["name"]], 0.01)
            self.assertLess(abs(layer["spike_rate"] - rates[layer["name"]]), 0.02, layer["name"])
        # What comes back matters: without it the network computes something else.
        text = self.tool("lasnn-compile", artefact.with_suffix(".onnx"), "--emit=snn-int", "--weights=int8", f"--calib=npy:{self.folder}")
        found = re.search(r"%(\w+) = snn.delay %(\w+) : ", text)
        self.assertIsNotNone(found)
        later = self.folder / "later.mlir"
        kind = re.search(r"snn.delay %\w+ : (\(.*\) -> .*)", text).group(1)
        later.write_text(text[:found.start()] + f"%more = snn.delay %{found.group(2)} : {kind}\n  " + f"%{found.group(1)} = snn.delay %more : " + text[found.end():])
        run = json.loads(self.tool("lasnn-run", later, self.data, "--device=interp", "--json"))
        self.assertNotEqual(run["digest"], runs[0]["digest"])

    def test_one_threshold_off_by_one_is_seen(self):
        """The comparison above is sharp: one unit more on one layer's thresholds, and it fails."""
        for seed in range(41, 60):  # a network all of whose layers spike: in a silent one no threshold matters
            _, student = self.float_student(seed)
            rounded = self.folder / f"r{seed}.pt"
            self.tool("lasnn-distill", "quantize", student, "--weights=int3", "-o", rounded)
            truth = self.check_integers(rounded, "int3")
            if min(self.spikes(truth).values()) > 100:
                break
        text = self.tool("lasnn-compile", rounded.with_suffix(".onnx"), "--emit=snn-int")
        found = list(re.finditer(r"v_threshold = dense<\[?([-0-9, ]+)\]?>", text))
        self.assertGreaterEqual(len(found), 1)
        for match in found:
            numbers = ", ".join(str(int(number) + 1) for number in match.group(1).split(","))
            wrong = self.folder / "wrong.mlir"
            wrong.write_text(text[:match.start(1)] + numbers + text[match.end(1):])
            run = json.loads(self.tool("lasnn-run", wrong, self.data, "--device=interp", "--json"))
            run["timesteps"] = truth["timesteps"]
            self.assertNotEqual((run["digest"], self.spikes(run)), (truth["digest"], self.spikes(truth)), match.group(0))

    def test_the_first_difference_can_be_found(self):
        """`trace` of a student in integers: spikes, and the read-out's whole numbers of every step."""
        _, student = self.float_student(14)
        rounded, trace = self.folder / "r14.pt", self.folder / "trace14"
        self.tool("lasnn-distill", "quantize", student, "--weights=int8", "-o", rounded)
        self.tool("lasnn-distill", "trace", rounded, self.data, "--limit=3", "-o", trace)
        tensors = read_trace(trace)
        shape, values = tensors["logits.int"]
        self.assertEqual(shape[1:], [3, 5])
        self.assertTrue(all(value == int(value) for value in values))
        self.assertTrue(any(values))

    def test_float_students(self):
        """Equal spikes, or a membrane at its threshold."""
        compared = explained = 0
        for seed in (21, 22, 23, 24, 25, 26, 27):
            with self.subTest(seed=seed):
                _, student = self.float_student(seed, recurrent=seed > 24)
                model, trace = student.with_suffix(".onnx"), self.folder / f"trace{seed}"
                self.tool("lasnn-distill", "export", student, "-o", model)
                self.tool("lasnn-distill", "trace", student, self.data, f"--limit={IMAGES}", "-o", trace)
                tensors = read_trace(trace)
                (self.folder / "pixels.bin").write_bytes((self.folder / "test_images.npy").read_bytes()[-IMAGES * 128:])
                dump = json.loads(subprocess.run([DUMP, model, self.folder / "pixels.bin", "currents"], capture_output=True, text=True, check=True).stdout)
                layers = [name for name in tensors if name.endswith(".lif")]
                neuron = dump["neurons"]
                same_class = 0
                for image, sample in enumerate(dump["samples"]):
                    difference = self.first_difference(tensors, sample["steps"], layers, image)
                    compared += 1
                    if difference:
                        step, layer, element = difference
                        gap, scale = self.gap(sample["steps"], neuron[layer], step, layer, element)
                        self.assertLess(gap, 1e-5 * max(1.0, scale), f"image {image}, step {step}, {layer}[{element}]: |v - theta| = {gap}")
                        explained += 1
                    shape, logits = tensors["logits"]
                    steps, classes = shape[0], shape[2]
                    ours = [sum(logits[(t * IMAGES + image) * classes + c] for t in range(steps)) for c in range(classes)]
                    theirs = sample["output"]
                    same_class += ours.index(max(ours)) == theirs.index(max(theirs)) or bool(difference)
                self.assertEqual(same_class, IMAGES)
        print(f"{compared} images of float students, {explained} with a first difference at a threshold", file=sys.stderr)
        self.assertLess(explained, 0.05 * compared)

    def first_difference(self, tensors, steps, layers, image):
        for step, values in enumerate(steps):
            for layer in layers:
                shape, spikes = tensors[layer]
                size = math.prod(shape[2:])
                ours, theirs = spikes[(step * IMAGES + image) * size:(step * IMAGES + image + 1) * size], values[layer]
                for element in range(size):
                    if ours[element] != theirs[element]:
                        return step, layer, element
        return None

    def gap(self, steps, neuron, last, layer, element):
        """|u - theta| of the interpreter's membrane, by N2..N6 in float64; and the size of what was added up."""
        v, scale = 0.0, 0.0
        channel = element * len(neuron["v_threshold"]) // len(steps[0][layer])
        theta = neuron["v_threshold"][channel]
        for step in range(last + 1):
            current = steps[step][layer + ".current"][element]
            u = neuron["beta"] * v + current
            scale = max(scale, abs(current))
            v = u if not steps[step][layer][element] else 0.0 if neuron["reset"] == "zero" else u - theta
        return abs(u - theta), scale


def read_trace(path):
    head, values = json.loads(path.with_suffix(".json").read_text()), array.array("f")
    values.frombytes(path.with_suffix(".bin").read_bytes())
    tensors, at = {}, 0
    for entry in head["tensors"]:
        size = math.prod(entry["shape"])
        tensors[entry["name"]] = (entry["shape"], values[at:at + size])
        at += size
    return tensors


if __name__ == "__main__":
    unittest.main()
