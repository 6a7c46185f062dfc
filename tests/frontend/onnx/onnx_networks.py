#!/usr/bin/env python3
"""Random ANNs of all supported operators, run by onnxruntime and by LaSNN's float interpreter: outputs are compared.

onnx_networks.py DUMP_STEPS [NETWORKS]

A network is a random chain of operators in the spellings of PyTorch (channels first), of tf2onnx (channels last between
Transposes) and of quantizers, with the shapes known to onnx's shape inference, so that what LaSNN makes of layouts,
constants and windows is held against another implementation. Input: pixels 0 to 255 as x = pixel/255. Exit 77: skipped.
"""
import collections
import json
import os
import subprocess
import sys
import tempfile

from oracle import again_in_venv

try:
    import numpy as np
    from onnx import TensorProto as T
    from onnx import helper as h
    from onnx import numpy_helper
    import onnxruntime as ort
except ImportError as error:
    again_in_venv(error, "numpy onnx onnxruntime")

SAMPLES = 3


class Network:
    """Builds node by node; `shape` is the current value's, without the batch."""

    def __init__(self, rng):
        self.rng, self.nodes, self.constants, self.count = rng, [], [], 0
        self.kinds = collections.Counter()
        self.opset = int(rng.choice([11, 13, 15, 18]))
        self.form = str(rng.choice(["2d", "2d", "last", "1d"]))
        c, height, width = (int(v) for v in rng.integers([1, 6, 6], [4, 11, 11]))
        self.input_shape = {"2d": [c, height, width], "last": [height, width, c], "1d": [c, width]}[self.form]
        self.shape, self.value = list(self.input_shape), "x"
        if self.form == "last":
            self.transpose([0, 3, 1, 2])

    def constant(self, array):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def floats(self, shape, scale=1.0):
        return self.constant(self.rng.normal(0, scale, shape).astype(np.float32))

    def node(self, op, *more, value=None, **attributes):
        self.count += 1
        self.kinds[op] += 1
        out = f"v{self.count}"
        self.nodes.append(h.make_node(op, [value or self.value, *more], [out], name=f"n{self.count}_{op}", **attributes))
        self.value = out
        return out

    def transpose(self, perm):
        self.node("Transpose", perm=perm)
        self.shape = [self.shape[p - 1] for p in perm[1:]]

    @property
    def axes(self):
        return len(self.shape) - 1

    def conv(self):
        rng, axes, c = self.rng, self.axes, self.shape[0]
        kernel = [int(rng.integers(1, min(3, s) + 1)) for s in self.shape[1:]]
        groups = int(rng.choice([1, 1, c]))
        k = groups * int(rng.integers(1, 4))
        strides = [int(v) for v in rng.integers(1, 3, axes)]
        attributes = {"strides": strides, "group": groups}
        auto = rng.random() < 0.3
        if auto:
            attributes["auto_pad"] = str(rng.choice(["SAME_UPPER", "SAME_LOWER"]))
            pads = None
        else:
            pads = [int(v) for v in rng.integers(0, 2, 2 * axes)]
            attributes["pads"] = pads
        w = self.floats([k, c // groups, *kernel], 1 / np.sqrt(c // groups * np.prod(kernel)))
        self.node("Conv", w, *([self.floats([k])] if rng.random() < 0.6 else []), **attributes)
        for a in range(axes):
            n = self.shape[1 + a]
            self.shape[1 + a] = -(-n // strides[a]) if auto else (n + pads[a] + pads[axes + a] - kernel[a]) // strides[a] + 1
        self.shape[0] = k

    def pad(self):
        axes = self.axes
        around = [int(v) for v in self.rng.integers(0, 3, 2 * axes)]
        self.node("Pad", self.constant(np.array([0, 0, *around[:axes], 0, 0, *around[axes:]], np.int64)))
        for a in range(axes):
            self.shape[1 + a] += around[a] + around[axes + a]

    def pool(self):
        axes, rng = self.axes, self.rng
        if min(self.shape[1:]) < 3:
            return
        op = str(rng.choice(["MaxPool", "AveragePool"]))
        kernel, strides = [int(v) for v in rng.integers(2, 4, axes)], [int(v) for v in rng.integers(1, 4, axes)]
        pads = [int(v) for v in rng.integers(0, 2, 2 * axes)]
        attributes = dict(kernel_shape=kernel, strides=strides, pads=pads)
        # onnxruntime's rule for ceil_mode with windows that start in the padding behind differs between versions: no pads there.
        ceil = op == "MaxPool" and rng.random() < 0.5
        if ceil:
            attributes.update(pads=[0] * (2 * axes), ceil_mode=1)
            strides[:] = [min(s, k) for s, k in zip(strides, kernel)]
            pads = [0] * (2 * axes)
        if op == "AveragePool":
            attributes["count_include_pad"] = 1
        self.node(op, **attributes)
        for a in range(axes):
            rest = self.shape[1 + a] + pads[a] + pads[axes + a] - kernel[a]
            self.shape[1 + a] = (-(-rest // strides[a]) if ceil else rest // strides[a]) + 1

    def norm(self):
        c = self.shape[0]
        positive = self.constant(self.rng.uniform(0.5, 2, c).astype(np.float32))
        self.node("BatchNormalization", self.floats([c]), self.floats([c]), self.floats([c]), positive)

    def arithmetic(self):
        op = str(self.rng.choice(["Add", "Sub", "Mul", "Div"]))
        shape = [[], [1], [self.shape[0]] + [1] * self.axes, [1, self.shape[0]] + [1] * self.axes][int(self.rng.integers(4))]
        array = (self.rng.uniform(0.5, 2, shape) * self.rng.choice([-1, 1], shape)).astype(np.float32)
        name = self.constant(array)
        if self.rng.random() < 0.3:  # of two constants
            name = self.node(str(self.rng.choice(["Add", "Mul"])), self.constant(np.float32(1.5)), value=(keep := self.value) and name)
            self.value = keep
        if op != "Div" and self.rng.random() < 0.4:
            self.node(op, self.value, value=name)
        else:
            self.node(op, name)

    def relu(self):
        if self.rng.random() < 0.7:
            self.node("Relu")
        else:
            self.node("Clip", self.constant(np.float32(0)), *([self.constant(np.float32(1.5))] if self.rng.random() < 0.7 else []))

    def branch(self):
        """x -> f(x) beside x: a residual sum, a difference, or a concatenation."""
        start, c = self.value, self.shape[0]
        kernel = [1] * self.axes
        ways = []
        for _ in range(2):
            self.value = start
            self.node("Conv", self.floats([c, c, *kernel], 1 / np.sqrt(c)))
            if self.rng.random() < 0.5:
                self.node("Relu")
            ways.append(self.value)
        op = str(self.rng.choice(["Add", "Sub", "Concat", "Concat"]))
        if op == "Concat":
            self.node("Concat", ways[1], start, value=ways[0], axis=1)
            self.shape[0] = 3 * c
        else:
            self.node(op, ways[1], value=ways[0])

    def last_and_back(self):
        """tf2onnx: to channels last, something element by element, and back."""
        n = self.axes + 1
        there, back = [0, *range(2, n + 1), 1], [0, n, *range(1, n)]
        self.transpose(there)
        channel = self.floats([self.shape[-1]])
        self.node(str(self.rng.choice(["Add", "Mul"])), channel)
        if self.rng.random() < 0.5:
            self.node("Relu")
        self.transpose(back)

    def ones(self):
        """Axes of size 1 come and go."""
        at = self.constant(np.array([2], np.int64))
        if self.opset >= 13:
            self.node("Unsqueeze", at), self.node("Squeeze", at)
        else:
            self.node("Unsqueeze", axes=[2]), self.node("Squeeze", axes=[2])

    def quantized(self):
        """Through the integers and back, with a unit so fine that the rounding is below the comparison's tolerance."""
        if self.opset < 13:
            return
        unit, zero = self.constant(np.float32(1.0)), self.constant(np.int8(0))
        w = self.constant(self.rng.integers(-127, 128, [2, self.shape[0]] + [1] * self.axes).astype(np.int8))
        scale = self.constant(self.rng.uniform(0.001, 0.01, 2).astype(np.float32))
        keep = self.value
        weight = self.node("DequantizeLinear", scale, self.constant(np.zeros(2, np.int8)), value=w, axis=0)
        self.value = keep
        self.node("Conv", weight)
        self.shape[0] = 2
        del unit, zero

    def flatten(self):
        rng = self.rng
        if rng.random() < 0.25:
            self.node(str(rng.choice(["GlobalAveragePool", "GlobalMaxPool"])))
            self.shape[1:] = [1] * self.axes
        elif rng.random() < 0.3 and self.opset < 18:
            keep = int(rng.integers(2))
            self.node("ReduceMean", axes=list(range(2, 2 + self.axes)), keepdims=keep)
            self.shape = [self.shape[0], *([1] * self.axes if keep else [])]
        elif rng.random() < 0.4:  # channels last before flattening: the order of features follows
            n = self.axes + 1
            self.transpose([0, *range(2, n + 1), 1])
        size = int(np.prod(self.shape))
        way = int(rng.integers(5))
        if way == 0:
            self.node("Flatten", axis=1)
        else:
            shape = [[1, -1], [0, -1], [-1, size], [1, size]][way - 1]
            self.node("Reshape", self.constant(np.array(shape, np.int64)))
        self.shape = [size]

    def linear(self):
        out = int(self.rng.integers(2, 6))
        scale = 1 / np.sqrt(self.shape[0])
        if self.rng.random() < 0.5:
            transposed = int(self.rng.integers(2))
            w = self.floats([out, self.shape[0]] if transposed else [self.shape[0], out], scale)
            self.node("Gemm", w, self.floats([out]), transB=transposed, alpha=1.5, beta=0.5)
        else:
            self.node("MatMul", self.floats([self.shape[0], out], scale))
        self.shape = [out]

    def model(self):
        parts = [self.conv, self.pad, self.pool, self.norm, self.arithmetic, self.relu, self.branch, self.last_and_back, self.ones,
                 self.quantized, self.conv]
        for _ in range(int(self.rng.integers(3, 9))):
            parts[int(self.rng.integers(len(parts)))]()
        self.flatten()
        self.linear()
        if self.rng.random() < 0.5:
            self.relu(), self.arithmetic(), self.linear()
        logits = self.value
        if self.rng.random() < 0.3:
            self.node(str(self.rng.choice(["Softmax", "LogSoftmax"])), axis=1)
        graph = h.make_graph(self.nodes, "ann", [h.make_tensor_value_info("x", T.FLOAT, [1, *self.input_shape])],
                             [h.make_tensor_value_info(self.value, T.FLOAT, [1, *self.shape])], self.constants)
        model = h.make_model(graph, opset_imports=[h.make_opsetid("", self.opset)], ir_version=8)
        h.set_model_props(model, {"lasnn.mean": "0", "lasnn.std": "1"})
        return model, logits


def main():
    dump_steps, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else int(os.environ.get("LASNN_ORACLE_NETWORKS", "60"))
    failures, kinds = [], collections.Counter()
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    with tempfile.TemporaryDirectory() as folder:
        path, raw = os.path.join(folder, "model.onnx"), os.path.join(folder, "samples.bin")
        for seed in range(count):
            network = Network(np.random.default_rng(seed))
            model, logits = network.model()
            kinds.update(network.kinds)
            with open(path, "wb") as file:
                file.write(model.SerializeToString())
            channels_last = network.form == "last"
            samples = np.random.default_rng(seed).integers(0, 256, [SAMPLES, *network.input_shape]).astype(np.uint8)
            (samples.transpose(0, 3, 1, 2) if channels_last else samples).tofile(raw)
            done = subprocess.run([dump_steps, path, raw], capture_output=True, text=True)
            if done.returncode != 0:
                failures.append(f"network {seed}: refused: {done.stderr}")
                continue
            # The value before a Softmax, which LaSNN leaves out, is what is compared.
            if model.graph.output[0].name != logits:
                del model.graph.output[:]
                model.graph.output.append(h.make_tensor_value_info(logits, T.FLOAT, None))
            session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
            for sample, mine in zip(samples, json.loads(done.stdout)["samples"]):
                theirs = session.run([logits], {"x": (sample.astype(np.float32) / np.float32(255))[None]})[0].ravel()
                error = np.abs(theirs - np.array(mine["output"])).max()
                if not error <= 1e-4 * max(1.0, np.abs(theirs).max()):
                    failures.append(f"network {seed}: outputs differ by {error:.3g} of {np.abs(theirs).max():.3g}: "
                                    f"{' '.join(n.op_type for n in model.graph.node)}")
                    break
    print(f"{count} random networks, {len(failures)} failed; operators: " + ", ".join(f"{k} {n}" for k, n in sorted(kinds.items())))
    for failure in failures:
        print("FAILED:", failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
