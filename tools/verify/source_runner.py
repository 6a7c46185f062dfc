"""Runs an ONNX model step by step with an ONNX runtime that knows nothing of LaSNN: the independent judge of lasnn-verify.

Started as `python3 -c SCRIPT OVERRIDES` with frames on stdin and stdout: a letter, a length (32 bits, little endian), bytes.
In: M the model, then S a sample (unsigned bytes) again and again. Out: H what will come (JSON), then R one result a sample, or
E the reason why there is none. docs/student-onnx.md says what the graph's inputs and outputs mean.
"""
import json
import os
import struct
import sys

sys.path[:] = [place for place in sys.path if place]  # no module of the working directory
answers = os.fdopen(os.dup(1), "wb")
os.dup2(2, 1)  # what libraries print must not look like an answer


def send(kind, payload):
    answers.write(kind + struct.pack("<I", len(payload)) + payload)
    answers.flush()


def receive():
    head = sys.stdin.buffer.read(5)
    if len(head) < 5:
        sys.exit(0)
    return sys.stdin.buffer.read(struct.unpack("<I", head[1:])[0])


def stop(text):
    send(b"E", text.encode())
    sys.exit(0)


class OnnxRuntime:
    def __init__(self, model):
        import onnxruntime
        self.name = "onnxruntime " + onnxruntime.__version__
        options = onnxruntime.SessionOptions()
        options.log_severity_level, options.intra_op_num_threads, options.inter_op_num_threads = 3, 1, 1
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.metadata = dict(self.session.get_modelmeta().custom_metadata_map)
        self.inputs = {each.name: each.shape for each in self.session.get_inputs()}
        self.outputs = [each.name for each in self.session.get_outputs()]

    def step(self, feed):
        return dict(zip(self.outputs, self.session.run(None, feed)))


class Reference:
    def __init__(self, model):
        import onnx
        import onnx.reference
        self.name = "onnx.reference " + onnx.__version__
        proto = onnx.load_model_from_string(model)
        self.evaluator = onnx.reference.ReferenceEvaluator(proto)
        self.metadata = {each.key: each.value for each in proto.metadata_props}
        constants = {each.name for each in proto.graph.initializer}
        self.inputs = {each.name: [d.dim_value or None for d in each.type.tensor_type.shape.dim] for each in proto.graph.input if each.name not in constants}
        self.outputs = [each.name for each in proto.graph.output]

    def step(self, feed):
        return dict(zip(self.outputs, self.evaluator.run(None, feed)))


def open_model(model):
    why = []
    for engine in (OnnxRuntime, Reference):
        try:
            return engine(model)
        except ImportError as error:
            why.append(str(error))
        except Exception as error:  # a model that an engine refuses: any of its own types
            why.append(f"{engine.__name__}: {error}".splitlines()[0])
    stop("; ".join(why))


class Student:
    def __init__(self, engine, overrides):
        self.engine, self.settings = engine, {**engine.metadata, **overrides}
        setting = lambda key, other: self.settings.get("lasnn." + key, other)
        states = {"v": ".v_in", "i": ".i_in", "m": ".m_in", "s": ".s_in"}
        self.states = {name: name[:-3] + "_out" for name in engine.inputs if name.endswith(tuple(states.values()))}
        data = [name for name in engine.inputs if name not in self.states]
        if len(data) != 1:
            stop(f"the graph has {len(data)} data inputs, expected 1")
        missing = [name for name in self.states.values() if name not in engine.outputs]
        if missing:
            stop(f"the graph has no output {missing[0]}")
        self.input, self.shape = data[0], self.sizes(data[0])
        stems = {name[:-5] for name in self.states if name.endswith(".v_in")}
        given = [name for name in setting("layers", "").split(",") if name]
        order = given if set(given) == stems else [name for name in engine.outputs if name in stems]
        self.layers = [name for name in order if name in engine.outputs]
        self.read = [name for name in engine.outputs if name not in self.states.values() and name not in stems]
        self.timesteps = int(setting("timesteps", "1"))
        self.mode = setting("readout", "mean" if self.states else "last")
        self.events = setting("encoding", "direct") == "events"
        numbers = lambda key, other: np.array([float(x) for x in setting(key, other).split(",")], np.float32).reshape([-1] + [1] * (len(self.shape) - 1))
        self.mean, self.std = numbers("mean", "0"), numbers("std", "1")

    def sizes(self, name):
        shape = self.engine.inputs[name][1:]
        if not all(isinstance(size, int) and size > 0 for size in shape):
            stop(f"graph input {name} has no fixed size behind its batch axis")
        return shape

    def header(self):
        layers = [{"name": name, "neurons": int(np.prod(self.sizes(name + ".v_in")))} for name in self.layers]
        return {"engine": self.engine.name, "timesteps": self.timesteps, "layers": layers,
                "input_bytes": int(np.prod(self.shape)) * (self.timesteps if self.events else 1)}

    def frame(self, sample, step):
        pixels = np.frombuffer(sample, np.uint8)
        if self.events:
            size = pixels.size // self.timesteps
            return pixels[step * size:(step + 1) * size].reshape(self.shape).astype(np.float32)
        return (pixels.reshape(self.shape).astype(np.float32) / np.float32(255) - self.mean) / self.std

    def run(self, sample):
        state = {name: np.zeros([1, *self.sizes(name)], np.float32) for name in self.states}
        spikes, membranes, total = [[] for _ in self.layers], [[] for _ in self.layers], None
        for step in range(self.timesteps):
            result = self.engine.step({self.input: self.frame(sample, step)[None], **state})
            state = {name: result[out] for name, out in self.states.items()}
            for k, name in enumerate(self.layers):
                fired = result[name].reshape(-1)
                spikes[k].append(fired.astype(np.uint8))
                # After a spike the membrane was reset: what was compared cannot be seen any more.
                membranes[k].append(np.where(fired == 0, result[name + ".v_out"].reshape(-1), np.float32(np.nan)).astype(np.float32))
            now = np.concatenate([result[name].reshape(-1) for name in self.read]).astype(np.float32)
            total = now if total is None or self.mode == "last" else total + now
        if self.mode == "mean":
            total = total / np.float32(self.timesteps)
        return b"".join(np.concatenate(part).tobytes() for pair in zip(spikes, membranes) for part in pair) + total.tobytes()


try:
    import numpy as np
except ImportError as failure:
    stop(str(failure))
student = Student(open_model(receive()), json.loads(sys.argv[1]))
send(b"H", json.dumps(student.header()).encode())
while True:
    image = receive()
    try:
        answer = student.run(image)
    except Exception as failure:  # an engine's own types
        stop(f"{student.engine.name}: {failure}".splitlines()[0])
    send(b"R", answer)
