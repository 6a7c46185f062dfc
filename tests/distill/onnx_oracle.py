#!/usr/bin/env python3
"""Checks an exported student against its LibTorch original, with two ONNX executors that have never heard of LaSNN.

    onnx_oracle.py LASNN_DISTILL STUDENT.pt SET:DIR [IMAGES [EXPORT OPTION...]]

`lasnn-distill export` writes the file and `lasnn-distill trace` LibTorch's per-step spikes and logits; onnxruntime and
onnx's reference evaluator then run the file T times, feeding every state (*.v_out, and *.i_out, *.m_out, *.s_out where there are) back as its *_in. Two float runs may first differ only
where a membrane lay within rounding of its threshold (folding the normalisation moves u by about 1e-6), so at least 95 % of
the images must agree in every spike, and on those the logits to 1e-3. Exit 77: skipped, for lack of onnxruntime.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import onnx
    import onnxruntime
    from onnx.reference import ReferenceEvaluator
except ImportError as missing:
    print(f"SKIPPED: {missing}; pip install onnx onnxruntime", file=sys.stderr)
    sys.exit(77)


def execute(run, names, inputs, steps):
    """Calls the one-step graph `steps` times; returns per-step logits, spikes and membranes."""
    state = dict(inputs)
    out = []
    for _ in range(steps):
        values = dict(zip(names, run(state)))
        state.update({name[: -len("out")] + "in": value for name, value in values.items() if name.endswith("_out")})
        out.append(values)
    return out


def compare(name, ours, theirs, layers, images):
    """`ours`: LibTorch's trace [T][tensor]; `theirs`: an ONNX executor's. Returns the number of failures."""
    clean = np.ones(images, bool)
    worst, flips = 0.0, 0
    for step, (a, b) in enumerate(zip(ours, theirs)):
        for layer in layers:
            differ = (a[layer] != b[layer]).reshape(images, -1).any(1)
            flips += int((a[layer] != b[layer])[clean].sum())
            clean &= ~differ
        if clean.any():
            worst = max(worst, float(np.abs(a["logits"] - b["logits"])[clean].max()))
    same = int((sum(o["logits"] for o in ours).argmax(1) == sum(o["logits"] for o in theirs).argmax(1)).sum())
    print(f"{name}: {int(clean.sum())}/{images} images equal in every spike, {flips} first differences, "
          f"largest logit difference {worst:.2e}, same class {same}/{images}")
    # Rounding may flip a spike now and then; more than that is a wrong graph.
    return int(clean.sum() < 0.95 * images or worst > 1e-3 or same < images - 1)


def main():
    tool, student, spec = sys.argv[1:4]
    images = int(sys.argv[4]) if len(sys.argv) > 4 else 64
    with tempfile.TemporaryDirectory() as folder:
        path, trace = str(pathlib.Path(folder) / "student.onnx"), pathlib.Path(folder) / "trace"
        subprocess.run([tool, "export", student, "-o", path, *sys.argv[5:]], check=True)
        subprocess.run([tool, "export", student, "-o", path + "2", *sys.argv[5:]], check=True)
        if open(path, "rb").read() != open(path + "2", "rb").read():
            sys.exit("two exports of one model differ")
        subprocess.run([tool, "trace", student, f"--data={spec}", f"--limit={images}", "-o", str(trace)], check=True)
        head = json.loads((trace.with_suffix(".json")).read_text())
        raw = np.fromfile(trace.with_suffix(".bin"), dtype="<f4")
        tensors, at = {}, 0
        for entry in head["tensors"]:
            size = int(np.prod(entry["shape"]))
            tensors[entry["name"]] = raw[at : at + size].reshape(entry["shape"])
            at += size
        model = onnx.load(path)
        onnx.checker.check_model(model, full_check=True)
        meta = {p.key: p.value for p in model.metadata_props}
        steps, layers = int(meta["lasnn.timesteps"]), meta["lasnn.layers"].split(",")
        inputs = {"input": tensors["input"]}
        for value in model.graph.input[1:]:
            shape = [d.dim_value for d in value.type.tensor_type.shape.dim][1:]
            inputs[value.name] = np.zeros([images] + shape, np.float32)
        ours = [{n: tensors[n][t] for n in layers + ["logits"]} for t in range(steps)]

        names = [o.name for o in model.graph.output]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        reference = ReferenceEvaluator(model)
        failures = compare("onnxruntime", ours, execute(lambda s: session.run(names, s), names, inputs, steps), layers, images)
        failures += compare("onnx reference", ours, execute(lambda s: reference.run(names, s), names, inputs, steps), layers, images)
        sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
