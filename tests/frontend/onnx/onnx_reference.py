#!/usr/bin/env python3
"""The independent oracle: random students run by an ONNX runtime and by LaSNN's float interpreter, spike for spike.

onnx_reference.py DUMP_STEPS [FILE.onnx ...]   (files: real students to compare as well; absent ones are passed over)

Every student is executed step by step as docs/student-onnx.md says: onnxruntime runs the graph with its neuron functions'
bodies, and knows nothing of LaSNN. Two runs may first differ, in the order of layers and steps, only at a spike whose
membrane lay within the rounding tolerance of its threshold; behind that point nothing is compared for that sample.
Tolerance: a current is a sum of n products, so two orders of summation differ by at most n*2^-24*sum|w*x|; we take
RELATIVE (64 ulp) of the largest |current| of the layer, floor 1e-6, times the number of steps. Exit 77: skipped.
"""
import json
import os
import subprocess
import sys
import tempfile

from oracle import again_in_venv

try:
    import numpy as np
    import onnx
    from onnx import TensorProto as T
    from onnx import helper as h
    from onnx import numpy_helper
    import onnxruntime as ort
except ImportError as error:
    again_in_venv(error, "numpy onnx onnxruntime")

RELATIVE = 64 * 2.0**-24
STUDENTS = int(os.environ.get("LASNN_ORACLE_STUDENTS", "24"))
SAMPLES = 6


def neuron_function(leaky, reset, ge):
    """A neuron's body; the spelling of equal bodies varies with the arguments on purpose."""
    nodes = []
    if leaky:
        decay = h.make_node("Constant", [], ["decay"])
        attr = decay.attribute.add()
        attr.name, attr.type, attr.ref_attr_name = "value_float", onnx.AttributeProto.FLOAT, "beta"
        nodes += [decay, h.make_node("Mul", ["v", "decay"], ["kept"])]
    nodes.append(h.make_node("Add", ["kept" if leaky else "v", "current"], ["u"]))
    nodes.append(h.make_node("GreaterOrEqual" if ge else "Greater", ["u", "v_threshold"], ["fired"]))
    nodes.append(h.make_node("Cast", ["fired"], ["spike"], to=T.FLOAT))
    if reset == "zero":
        nodes += [h.make_node("Constant", [], ["none"], value_float=0.0), h.make_node("Where", ["fired", "none", "u"], ["v_next"])]
    elif reset == "subtract":
        nodes += [h.make_node("Mul", ["spike", "v_threshold"], ["less"]), h.make_node("Sub", ["u", "less"], ["v_next"])]
    elif reset == "value":
        nodes.append(h.make_node("Where", ["fired", "v_reset", "u"], ["v_next"]))
    else:
        nodes.append(h.make_node("Identity", ["u"], ["v_next"]))
    inputs = ["current", "v", "v_threshold"] + (["v_reset"] if reset == "value" else [])
    name = ("LIF_" if leaky else "IF_") + reset
    return h.make_function("lasnn", name, inputs, ["spike", "v_next"], nodes, [h.make_opsetid("", 15)], ["beta"] if leaky else [])


class Student:
    """A random student: convolutions, pools, a residual add, linear layers, every kind of neuron."""

    def __init__(self, rng):
        self.rng = rng
        self.nodes, self.initializers, self.inputs, self.outputs = [], [], [], []
        self.functions, self.layers = {}, []
        self.timesteps = int(rng.integers(1, 9))
        self.readout = str(rng.choice(["mean", "sum", "last"]))
        self.events = bool(rng.integers(0, 4) == 0)
        shape = [int(rng.integers(1, 4)), int(rng.integers(5, 10)), int(rng.integers(5, 10))]
        self.input_shape = shape if rng.integers(0, 5) else [int(rng.integers(4, 40))]
        self.inputs.append(h.make_tensor_value_info("input", T.FLOAT, ["N", *self.input_shape]))
        value, shape = "input", list(self.input_shape)
        if len(shape) == 3:
            for k in range(int(rng.integers(1, 4))):
                value, shape = self.conv_block(f"conv{k}", value, shape)
            value = self.node("Flatten", [value], "flat", axis=1)
            shape = [int(np.prod(shape))]
        for k in range(int(rng.integers(0, 3))):
            value, shape = self.linear(f"fc{k}", value, shape, int(rng.integers(3, 20)))
            value = self.neuron(f"fc{k}.lif", value, shape)
        self.classes = int(rng.integers(2, 11))
        self.linear("head", value, shape, self.classes, output="logits")
        self.outputs.insert(0, h.make_tensor_value_info("logits", T.FLOAT, ["N", self.classes]))

    def weight(self, name, shape, scale=1.0):
        fan = max(1, int(np.prod(shape[1:]))) if len(shape) > 1 else 1
        array = self.rng.normal(0, scale * (2.0 / fan) ** 0.5, shape).astype(np.float32)
        self.initializers.append(numpy_helper.from_array(array, name))
        return name

    def node(self, op, inputs, output, name=None, domain="", **attrs):
        outputs = output if isinstance(output, list) else [output]
        self.nodes.append(h.make_node(op, inputs, outputs, name=name or outputs[0], domain=domain, **attrs))
        return outputs[0]

    def conv_block(self, name, value, shape):
        rng, c = self.rng, shape[0]
        groups = c if rng.integers(0, 4) == 0 else 1
        k = groups * int(rng.integers(1, 5))
        kernel, stride, pad, dilation = int(rng.choice([1, 3])), int(rng.integers(1, 3)), int(rng.integers(0, 2)), int(rng.integers(1, 3))
        if shape[1] + 2 * pad < dilation * (kernel - 1) + 1 or shape[2] + 2 * pad < dilation * (kernel - 1) + 1:
            dilation, pad = 1, 1
        auto = rng.integers(0, 4) == 0
        attrs = dict(group=groups, strides=[stride] * 2, dilations=[dilation] * 2, kernel_shape=[kernel] * 2)
        if auto:
            attrs["auto_pad"] = "SAME_LOWER" if rng.integers(0, 2) else "SAME_UPPER"
        else:
            attrs["pads"] = [pad] * 4
        if auto:  # onnxruntime refuses dilation with SAME
            attrs["dilations"], dilation = [1, 1], 1
        inputs = [value, self.weight(f"{name}.weight", [k, c // groups, kernel, kernel], 1.5)]
        with_bias = rng.integers(0, 2)
        if with_bias:
            inputs.append(self.weight(f"{name}.bias", [k], 0.1))
        out = self.node("Conv", inputs, name, **attrs)
        size = [-(-s // stride) if auto else (s + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1 for s in shape[1:]]
        if not with_bias and rng.integers(0, 2):
            out = self.node("Add", [out, self.weight(f"{name}.b", [k, 1, 1], 0.1)], f"{name}.plus")
        if rng.integers(0, 3) == 0:
            for part in ("gamma", "beta", "mean"):
                self.weight(f"{name}.bn.{part}", [k], 0.5)
            variance = self.rng.uniform(0.3, 2, [k]).astype(np.float32)
            self.initializers.append(numpy_helper.from_array(variance, f"{name}.bn.var"))
            out = self.node("BatchNormalization", [out] + [f"{name}.bn.{p}" for p in ("gamma", "beta", "mean", "var")], f"{name}.bn")
        if rng.integers(0, 3) == 0 and stride == 1 and size == list(shape[1:]):
            skip = self.node("Conv", [value, self.weight(f"{name}.skip.weight", [k, c, 1, 1])], f"{name}.skip", kernel_shape=[1, 1])
            out = self.node("Add", [out, skip], f"{name}.sum")
        shape = [k, *size]
        out = self.neuron(f"{name}.lif", out, shape)
        if rng.integers(0, 2) and min(shape[1:]) >= 2:
            op = str(rng.choice(["MaxPool", "AveragePool"]))
            out = self.node(op, [out], f"{name}.pool", kernel_shape=[2, 2], strides=[2, 2])
            shape = [k, shape[1] // 2, shape[2] // 2]
        elif rng.integers(0, 5) == 0:
            out = self.node("GlobalAveragePool", [out], f"{name}.gap")
            shape = [k, 1, 1]
        return out, shape

    def linear(self, name, value, shape, outputs, output=None):
        output = output or name
        if self.rng.integers(0, 3) == 0:
            product = self.node("MatMul", [value, self.weight(f"{name}.weight", [shape[0], outputs], 1.5)], f"{name}.mm")
            self.node("Add", [product, self.weight(f"{name}.bias", [outputs], 0.1)], output)
        elif self.rng.integers(0, 3) == 0:
            self.node("Gemm", [value, self.weight(f"{name}.weight", [shape[0], outputs], 1.5)], output, name=name, alpha=0.75)
        else:
            inputs = [value, self.weight(f"{name}.weight", [outputs, shape[0]], 1.5), self.weight(f"{name}.bias", [outputs], 0.1)]
            self.node("Gemm", inputs, output, name=name, transB=1)
        return output, [outputs]

    def neuron(self, layer, current, shape):
        rng = self.rng
        leaky, reset, ge = bool(rng.integers(0, 3)), str(rng.choice(["zero", "subtract", "value", "none"])), bool(rng.integers(0, 2))
        name = ("LIF_" if leaky else "IF_") + reset
        if name not in self.functions:
            self.functions[name] = neuron_function(leaky, reset, ge)
        c = shape[0]
        choices = [[], [1], [c, 1, 1] if len(shape) == 3 else [c]]
        threshold = rng.uniform(0.2, 1.2, choices[rng.integers(0, 3)]).astype(np.float32)
        self.initializers.append(numpy_helper.from_array(np.asarray(threshold), f"{layer}.v_threshold"))
        inputs = [current, f"{layer}.v_in", f"{layer}.v_threshold"]
        if reset == "value":
            value = rng.uniform(-0.3, 0.1, choices[rng.integers(0, 3)]).astype(np.float32)
            self.initializers.append(numpy_helper.from_array(np.asarray(value), f"{layer}.v_reset"))
            inputs.append(f"{layer}.v_reset")
        attrs = {"beta": float(np.float32(rng.uniform(0.3, 1.0)))} if leaky else {}
        self.node(name, inputs, [layer, f"{layer}.v_out"], name=layer, domain="lasnn", **attrs)
        self.inputs.append(h.make_tensor_value_info(f"{layer}.v_in", T.FLOAT, ["N", *shape]))
        self.outputs += [h.make_tensor_value_info(f"{layer}.v_out", T.FLOAT, ["N", *shape]),
                         h.make_tensor_value_info(layer, T.FLOAT, ["N", *shape])]
        self.layers.append(layer)
        return layer

    def model(self):
        graph = h.make_graph(self.nodes, "random", self.inputs, self.outputs, self.initializers)
        model = h.make_model(graph, functions=list(self.functions.values()), ir_version=8,
                             opset_imports=[h.make_opsetid("", 15), h.make_opsetid("lasnn", 1)])
        c = self.input_shape[0]
        props = {"lasnn.timesteps": self.timesteps, "lasnn.readout": self.readout, "lasnn.layers": ",".join(self.layers),
                 "lasnn.encoding": "events" if self.events else "direct"}
        if not self.events:
            props["lasnn.mean"] = ",".join(str(float(np.float32(x))) for x in self.rng.uniform(0.2, 0.6, c))
            props["lasnn.std"] = ",".join(str(float(np.float32(x))) for x in self.rng.uniform(0.2, 0.6, c))
        h.set_model_props(model, {key: str(value) for key, value in props.items()})
        return model


def run_onnx(model, samples):
    """All steps of all samples: a list of {name: array} a step, with every neuron's current and membrane."""
    props = {p.key: p.value for p in model.metadata_props}
    steps, events = int(props["lasnn.timesteps"]), props["lasnn.encoding"] == "events"
    names = {o.name for o in model.graph.output}
    neurons = [n for n in model.graph.node if n.domain == "lasnn"]
    for neuron in neurons:  # the currents too, to know how far from its threshold a membrane was
        if neuron.input[0] not in names:
            names.add(neuron.input[0])
            model.graph.output.append(h.make_empty_tensor_value_info(neuron.input[0]))
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    outputs = [o.name for o in session.get_outputs()]
    shape = [d.dim_value for d in next(i for i in model.graph.input if i.name == "input").type.tensor_type.shape.dim][1:]
    runs = []
    for sample in samples:
        state = {i.name: np.zeros([1] + i.shape[1:], np.float32) for i in session.get_inputs() if i.name.endswith(".v_in")}
        run = []
        for step in range(steps):
            frame = sample.reshape([steps, *shape])[step] if events else sample.reshape(shape)
            x = frame.astype(np.float32)
            if not events:
                broadcast = [-1] + [1] * (len(shape) - 1)
                mean = np.array([float(v) for v in props["lasnn.mean"].split(",")], np.float32).reshape(broadcast)
                std = np.array([float(v) for v in props["lasnn.std"].split(",")], np.float32).reshape(broadcast)
                x = (x / np.float32(255) - mean) / std
            result = dict(zip(outputs, session.run(None, {"input": x[None], **state})))
            result["before"] = dict(state)
            state = {name: result[name[:-5] + ".v_out"] for name in state}
            run.append(result)
        runs.append(run)
    return runs, neurons, props["lasnn.readout"]


def compare(name, model, samples, dumped):
    """First difference of each sample; returns (spikes compared, samples that part within rounding, error or None)."""
    constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    runs, neurons, readout = run_onnx(model, samples)
    compared = parted = 0
    for s, (run, ours) in enumerate(zip(runs, dumped["samples"])):
        logits, alike = [], True
        for step, (theirs, mine) in enumerate(zip(run, ours["steps"])):
            for neuron in neurons:
                layer = neuron.output[0]
                spikes = theirs[layer].ravel()
                different = np.flatnonzero(spikes != np.array(mine[neuron.name], np.float32))
                compared += spikes.size
                if not different.size:
                    continue
                beta = next((a.f for a in neuron.attribute if a.name == "beta"), 1.0)
                current = theirs[neuron.input[0]]
                u = current + np.float32(beta) * theirs["before"][neuron.input[1]]
                margin = np.abs(u - constants[neuron.input[2]]).ravel()[different].max()
                tolerance = max(1e-6, RELATIVE * float(np.abs(current).max())) * (step + 1)
                if margin > tolerance:
                    return compared, parted, (f"{name}, sample {s}, step {step}, layer {neuron.name}: {different.size} spikes differ, "
                                              f"|v - theta| = {margin:.3g}, tolerance {tolerance:.3g}")
                alike = False
                break
            if not alike:
                break
            mine_logits, theirs_logits = np.array(mine["logits"]), theirs["logits"].ravel()
            error = np.abs(mine_logits - theirs_logits).max()
            if error > 1e-4 * max(1.0, np.abs(theirs_logits).max()):
                return compared, parted, f"{name}, sample {s}, step {step}: logits differ by {error:.3g}"
            logits.append(theirs_logits)
        if not alike:
            parted += 1
            continue
        total = {"sum": np.sum(logits, 0), "mean": np.mean(logits, 0), "last": logits[-1]}[readout]
        error = np.abs(total - np.array(ours["output"])).max()
        if error > 1e-4 * max(1.0, np.abs(total).max()):
            return compared, parted, f"{name}, sample {s}: the read-out ({readout}) differs by {error:.3g}"
    return compared, parted, None


def check(name, model, dump_steps, rng, folder, samples=SAMPLES):
    path, raw = os.path.join(folder, "model.onnx"), os.path.join(folder, "samples.bin")
    with open(path, "wb") as file:
        file.write(model.SerializeToString())
    props = {p.key: p.value for p in model.metadata_props}
    shape = [d.dim_value for d in next(i for i in model.graph.input if i.name == "input").type.tensor_type.shape.dim][1:]
    events = props["lasnn.encoding"] == "events"
    count = int(np.prod(shape)) * (int(props["lasnn.timesteps"]) if events else 1)
    data = rng.integers(0, 2 if events else 256, [samples, count]).astype(np.uint8)
    data.tofile(raw)
    done = subprocess.run([dump_steps, path, raw], capture_output=True, text=True)
    if done.returncode != 0:
        return 0, 0, f"{name}: dump_steps failed: {done.stderr}"
    return compare(name, model, data, json.loads(done.stdout))


def main():
    dump_steps, files = sys.argv[1], sys.argv[2:]
    failures, spikes, parted, runs = [], 0, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(STUDENTS):
            rng = np.random.default_rng(seed)
            compared, apart, error = check(f"random student {seed}", Student(rng).model(), dump_steps, rng, folder)
            spikes, parted, runs = spikes + compared, parted + apart, runs + SAMPLES
            if error:
                failures.append(error)
        for path in files:
            if not os.path.exists(path):
                print(f"{path}: not there, passed over")
                continue
            compared, apart, error = check(path, onnx.load(path), dump_steps, np.random.default_rng(1), folder)
            print(f"{path}: {compared} spikes compared, {apart} of {SAMPLES} samples part within rounding")
            if error:
                failures.append(error)
    print(f"{STUDENTS} random students: {spikes} neuron outputs compared; {parted} of {runs} samples part at a membrane within rounding")
    if runs and parted > runs // 10:
        failures.append(f"{parted} of {runs} samples part: too many to call the rest compared")
    for failure in failures:
        print("FAILED:", failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
