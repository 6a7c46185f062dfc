#!/usr/bin/env python3
"""ONNX's own backend node tests, for the operators that the importer takes: passed, skipped with the reason, failed.

onnx_backend.py DUMP_STEPS [-v]     (-v: every skipped test with its reason)

The tests come with the Python package onnx. They are written for a runtime: parameters are graph inputs, batches are
larger than 1, values are normal deviates. Here all inputs but the first become constants, the batch becomes 1, and
the first input pixels, x = pixel/255; the expected output is what onnx's reference evaluator computes of that. A model
that the importer refuses is skipped with the rule: refusing is no failure, computing something else is. At least
MINIMUM have to pass, so that the suite cannot become empty unseen. Exit 77: skipped.
"""
import collections
import json
import os
import subprocess
import sys
import tempfile
import warnings

from oracle import again_in_venv

try:
    import numpy as np
    import onnx
    from onnx import numpy_helper
    from onnx.backend.test.case.node import collect_testcases
    from onnx.reference import ReferenceEvaluator
except ImportError as error:
    again_in_venv(error, "numpy onnx")

MINIMUM = 20
NEWEST_OPSET = 22
OPERATORS = """Add ArgMax AveragePool BatchNormalization Clip Concat Conv DequantizeLinear Div Dropout Flatten Gemm GlobalAveragePool
GlobalMaxPool Identity LogSoftmax MatMul MaxPool Mul Pad QuantizeLinear ReduceMean Relu Reshape Sigmoid Softmax Squeeze Sub
Transpose Unsqueeze""".split()
ENDS = {"ArgMax", "LogSoftmax", "Sigmoid", "Softmax"}  # left out: their input is read


def prepare(case, rng):
    """(model, pixels), or a reason to skip."""
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    graph = model.graph
    for opset in model.opset_import:
        if opset.version > NEWEST_OPSET and not opset.domain:
            opset.version = NEWEST_OPSET  # of the node tests' own, which follow the package's version
    model.ir_version = min(model.ir_version, 10)
    if len(graph.node) != 1:
        return "of several nodes"
    inputs, _ = case.data_sets[0]
    if not inputs or not isinstance(inputs[0], np.ndarray) or inputs[0].dtype != np.float32:
        return "its first input is no float tensor"
    if inputs[0].ndim not in (2, 3, 4):
        return f"its first input has {inputs[0].ndim} axes"
    shape = [1, *inputs[0].shape[1:]]
    for k, info in list(enumerate(graph.input))[1:]:
        value = np.asarray(inputs[k]) if isinstance(inputs[k], np.ndarray) else np.asarray(None)
        if value.dtype == object:
            return "an input is no array of numpy"
        if value.dtype == np.float32 and value.shape == inputs[0].shape and graph.node[0].op_type in ("Add", "Sub", "Mul", "Div"):
            value = value[:1]
        graph.initializer.append(numpy_helper.from_array(value, info.name))
    del graph.input[1:]
    del graph.input[0].type.tensor_type.shape.dim[:]
    for size in shape:
        graph.input[0].type.tensor_type.shape.dim.add().dim_value = size
    for output in graph.output:
        output.type.tensor_type.ClearField("shape")
    del graph.value_info[:]
    onnx.helper.set_model_props(model, {"lasnn.mean": "0", "lasnn.std": "1"})
    return model, rng.integers(0, 256, shape).astype(np.uint8)


def run(case, dump_steps, folder):
    """("passed" | "skipped" | "failed", why)"""
    prepared = prepare(case, np.random.default_rng(0))
    if isinstance(prepared, str):
        return "skipped", prepared
    model, pixels = prepared
    x = pixels.astype(np.float32) / np.float32(255)
    path, raw = os.path.join(folder, "model.onnx"), os.path.join(folder, "samples.bin")
    with open(path, "wb") as file:
        file.write(model.SerializeToString())
    pixels.tofile(raw)
    done = subprocess.run([dump_steps, path, raw], capture_output=True, text=True)
    if done.returncode < 0 or (done.returncode != 0 and "rule " not in done.stderr):
        return "failed", f"no rule is named (exit {done.returncode}): {done.stderr[:300]}"
    if done.returncode != 0:
        text = done.stderr.split(" error: ", 1)[-1].split("\n")[0]
        return "skipped", "refused: " + text[text.find("rule "):]
    try:
        expected = x if model.graph.node[0].op_type in ENDS else ReferenceEvaluator(model).run(None, {model.graph.input[0].name: x})[0]
    except Exception as error:  # the reference fails once the batch is 1: there is nothing to compare with
        return "skipped", f"the reference does not run it with a batch of 1: {type(error).__name__}"
    mine = np.array(json.loads(done.stdout)["samples"][0]["output"])
    expected = np.asarray(expected, np.float32).ravel()
    if mine.shape != expected.shape or not np.allclose(mine, expected, rtol=1e-4, atol=1e-5):
        return "failed", f"{mine.size} values, expected {expected.size}; first {mine[:4]}, expected {expected[:4]}"
    return "passed", ""


def main():
    dump_steps, verbose = sys.argv[1], "-v" in sys.argv
    counts, reasons, failures = collections.Counter(), collections.Counter(), []
    with tempfile.TemporaryDirectory() as folder:
        with warnings.catch_warnings():  # of other operators' cases
            warnings.simplefilter("ignore")
            cases = collect_testcases(None)
        for case in cases:
            ops = {node.op_type for node in case.model.graph.node} if case.model else set()
            if len(ops) != 1 or not ops <= set(OPERATORS):
                counts["of other operators"] += 1
                continue
            result, why = run(case, dump_steps, folder)
            counts[result] += 1
            if result == "skipped":
                reasons[" ".join(why.split()[:3]) if why.startswith("refused") else why] += 1
            if verbose and result != "failed":
                print(f"{result}: {case.name}: {why}")
            if result == "failed":
                failures.append(f"{case.name}: {why}")
    print(f"{counts['passed']} passed, {counts['skipped']} skipped, {counts['failed']} failed; {counts['of other operators']} of other operators")
    for reason, number in reasons.most_common():
        print(f"  skipped {number}: {reason}")
    if counts["passed"] < MINIMUM:
        failures.append(f"only {counts['passed']} passed, expected at least {MINIMUM}")
    for failure in failures:
        print("FAILED:", failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
