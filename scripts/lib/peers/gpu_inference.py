"""Usage: gpu_inference.py snn|ann [--batch=N] [--timesteps=N] [--width=N] [--size=N] [--device=cuda|cpu] [--dtype=bfloat16|float16|float32]
                                   [--repeats=N] [--seconds=N] [--modes=NAME,...]

Images a second of ResNet-18 (CIFAR stem, random weights and images) in PyTorch: `snn` with T time-steps of LIF neurons, `ann` its twin with
ReLU. Prints one JSON object: of every mode the median time of a batch that lies in device memory, and the fastest mode.

From PyTorch's public API only, and to its advantage where there is a choice: normalisation is folded into the convolutions, tensors are
channels-last, convolutions see all steps as one batch, the first one sees an image once.

    eager     kernel after kernel
    graph     the same kernels recorded once and replayed (torch.cuda.CUDAGraph)
    neurons   snn: a layer's neurons of all T steps as one function through torch.compile (Inductor makes one Triton kernel of it); in a graph
    compiled  the whole network through torch.compile; in a graph
    tuned     the same with mode="max-autotune-no-cudagraphs": Inductor measures its choices first"""
import argparse
import json
import signal
import statistics
import sys
import time

import torch
from torch import nn

BETA = 0.5
MODES = {"snn": ("eager", "graph", "neurons", "compiled", "tuned"), "ann": ("eager", "graph", "compiled", "tuned")}


class Skipped(Exception):
    """Why a mode cannot run here."""


def time_is_over(signal_number, frame):
    raise Skipped("the time that --seconds gives was over before it was compiled and measured")


def lif(currents, threshold, timesteps):
    """Currents [T B,C,H,W] to spikes: v = beta v + I; s = v > threshold; v = 0 where s. The loop is over a constant, so that it is one kernel once
    compiled; chunk and cat keep channels-last, which stack would not."""
    spikes, v = [], 0
    for current in currents.chunk(timesteps):
        v = BETA * v + current
        s = v > threshold
        spikes.append(s.to(currents.dtype))
        v = torch.where(s, torch.zeros_like(v), v)
    return torch.cat(spikes)


class Neurons(nn.Module):
    """T steps that lie one after another in the batch."""

    def __init__(self, timesteps):
        super().__init__()
        self.timesteps, self.function, self.calibrating, self.rate = timesteps, lif, False, 0.0
        self.register_buffer("threshold", torch.ones(()))  # a tensor: one compiled function serves all layers of a shape

    def forward(self, x):
        if self.calibrating:
            self.threshold.fill_(1.5 * x.float().std().item())
        spikes = self.function(x, self.threshold, self.timesteps)
        if self.calibrating:
            self.rate = spikes.float().mean().item()
        return spikes


class Block(nn.Module):
    def __init__(self, channels, width, stride, activation):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(channels, width, 3, stride, 1), nn.Conv2d(width, width, 3, 1, 1)
        self.shortcut = nn.Conv2d(channels, width, 1, stride) if stride > 1 else nn.Identity()
        self.act1, self.act2 = activation(), activation()

    def forward(self, x):
        return self.act2(self.conv2(self.act1(self.conv1(x))) + self.shortcut(x))


class ResNet18(nn.Module):
    """He et al. 2016 with the CIFAR stem. timesteps 0: the ANN."""

    def __init__(self, timesteps, width):
        super().__init__()
        activation = (lambda: Neurons(timesteps)) if timesteps else nn.ReLU
        self.timesteps, self.stem, self.act, blocks = timesteps, nn.Conv2d(3, width, 3, 1, 1), activation(), []
        channels = width
        for stage in range(4):
            for block in range(2):
                blocks.append(Block(channels, width << stage, 2 if stage and not block else 1, activation))
                channels = width << stage
        self.blocks, self.head = nn.Sequential(*blocks), nn.Linear(channels, 10)

    def forward(self, images):
        x = self.stem(images)
        if self.timesteps:
            x = x.repeat(self.timesteps, 1, 1, 1)
        logits = self.head(self.blocks(self.act(x)).mean((2, 3)))
        return logits.view(self.timesteps, -1, logits.shape[1]).mean(0) if self.timesteps else logits


def compiled(function, **how):
    if not hasattr(torch, "compile"):
        raise Skipped(f"PyTorch {torch.__version__} has no torch.compile")
    return torch.compile(function, dynamic=False, **how)


def prepared(mode, net, images):
    """What one repetition calls."""
    neurons = [m for m in net.modules() if isinstance(m, Neurons)]
    for one in neurons:
        one.function = lif
    call = net
    if mode == "neurons":
        together = compiled(lif)
        for one in neurons:
            one.function = together
    elif mode == "compiled":
        call = compiled(net)
    elif mode == "tuned":
        call = compiled(net, mode="max-autotune-no-cudagraphs")
    if mode == "eager":
        return lambda: call(images)
    if images.device.type != "cuda":
        if mode == "graph":
            raise Skipped("a CUDA graph needs a GPU")
        call(images)
        return lambda: call(images)
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            call(images)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call(images)
    return graph.replay


def median_us(call, device, repeats):
    times = []
    for i in range(repeats + 3):
        if device == "cuda":
            begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            begin.record()
            call()
            end.record()
            end.synchronize()
            took = begin.elapsed_time(end) * 1e3
        else:
            start = time.perf_counter()
            call()
            took = (time.perf_counter() - start) * 1e6
        if i >= 3:
            times.append(took)
    return statistics.median(times)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("kind", choices=("snn", "ann"))
    for name, default in (("batch", 512), ("timesteps", 4), ("width", 64), ("size", 32), ("repeats", 30), ("seconds", 240)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--dtype", default="bfloat16", choices=("bfloat16", "float16", "float32"))
    parser.add_argument("--modes", default="")
    o = parser.parse_args()
    if o.device == "cuda" and not torch.cuda.is_available():
        sys.exit(f"gpu_inference.py: PyTorch {torch.__version__} sees no GPU; --device=cpu rehearses")
    unknown = [mode for mode in o.modes.split(",") if mode and mode not in MODES[o.kind]]
    if unknown:
        sys.exit(f"gpu_inference.py: {o.kind} has no mode {', '.join(unknown)}; it has {', '.join(MODES[o.kind])}")
    signal.signal(signal.SIGALRM, time_is_over)
    torch.manual_seed(1)
    torch.backends.cudnn.benchmark = True
    dtype = getattr(torch, o.dtype)
    place = lambda x: x.to(o.device, dtype, memory_format=torch.channels_last)
    start = time.monotonic()
    with torch.no_grad():
        net = place(ResNet18(o.timesteps if o.kind == "snn" else 0, o.width).eval())
        images = place(torch.randn(o.batch, 3, o.size, o.size))
        neurons = [m for m in net.modules() if isinstance(m, Neurons)]
        for one in neurons:
            one.calibrating = True
        net(images[:8])
        for one in neurons:
            one.calibrating = False
        modes = {}
        for mode in o.modes.split(",") if o.modes else MODES[o.kind]:
            left = o.seconds - (time.monotonic() - start)
            try:
                if left < 1:
                    raise Skipped(f"--seconds={o.seconds} were over")
                signal.alarm(int(left))  # compiling may take any time
                us = median_us(prepared(mode, net, images), o.device, o.repeats)
                modes[mode] = {"us": us, "images_per_s": o.batch / us * 1e6}
            except Exception as error:  # one mode that fails (a compiler that is missing, say) must not take the others along
                modes[mode] = {"skipped" if isinstance(error, Skipped) else "failed": str(error).strip().splitlines()[0] if str(error).strip() else repr(error)}
            finally:
                signal.alarm(0)
            print(json.dumps({mode: modes[mode]}), file=sys.stderr, flush=True)
    ran = {mode: m["images_per_s"] for mode, m in modes.items() if "us" in m}
    if not ran:
        sys.exit(f"gpu_inference.py: no mode ran: {json.dumps(modes)}")
    best = max(ran, key=ran.get)
    print(json.dumps({"kind": o.kind, "images_per_s": ran[best], "us": modes[best]["us"], "best": best, "modes": modes, "batch": o.batch,
                      "timesteps": o.timesteps if o.kind == "snn" else 0, "dtype": o.dtype, "spike_rate": statistics.mean(n.rate for n in neurons) if neurons else 0,
                      "device": torch.cuda.get_device_name() if o.device == "cuda" else "cpu", "torch": torch.__version__}))


if __name__ == "__main__":
    main()
