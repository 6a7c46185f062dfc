"""Usage: training.py FRAMEWORK ARCH.json [--steps=N] [--batch=N] [--timesteps=N] [--threads=N] [--classes=N] [--channels-last]
          training.py --check

Trains the network of ARCH.json (the form that lasnn-distill reads) for some steps on random images in SpikingJelly or snnTorch, and
prints {"images_per_s", "peak_mb"}. Written from their public API, and to their advantage where there is a choice: convolutions
see all T steps at once, the first one and its normalisation see an image once, and images lie ready in memory."""
import argparse
import json
import resource
import sys
import time

import torch
from torch import nn


class SpikingJelly:
    def __init__(self):
        from spikingjelly.activation_based import functional, neuron, surrogate
        self.functional, self.neuron, self.surrogate = functional, neuron, surrogate

    def lif(self):
        # v = v - v/tau + x with tau 2: beta 0.5. Hard reset; multi-step, layer by layer.
        return self.neuron.LIFNode(tau=2.0, decay_input=False, v_threshold=1.0, v_reset=0.0, surrogate_function=self.surrogate.ATan(2.0), step_mode="m")

    def reset(self, net):
        self.functional.reset_net(net)


class SnnTorch:
    def __init__(self):
        import snntorch
        from snntorch import surrogate
        self.snntorch, self.surrogate = snntorch, surrogate

    def lif(self):
        leaky = self.snntorch.Leaky(beta=0.5, threshold=1.0, reset_mechanism="zero", spike_grad=self.surrogate.atan(alpha=2.0))

        class Steps(nn.Module):
            def __init__(self):
                super().__init__()
                self.leaky = leaky

            def forward(self, x):
                mem, out = self.leaky.init_leaky() if hasattr(self.leaky, "init_leaky") else self.leaky.reset_mem(), []
                for current in x:
                    spike, mem = self.leaky(current, mem)
                    out.append(spike)
                return torch.stack(out)
        return Steps()

    def reset(self, net):
        pass


FRAMEWORKS = {"spikingjelly": SpikingJelly, "snntorch": SnnTorch}


class Identity(nn.Module):
    def __init__(self, channels, width, stride):
        super().__init__()
        self.added, self.stride = (width - channels) // 2, stride

    def forward(self, x):
        x = x[:, :, ::self.stride, ::self.stride]
        return nn.functional.pad(x, (0, 0, 0, 0, self.added, self.added)) if self.added else x


class Network(nn.Module):
    def __init__(self, arch, framework, timesteps, classes, shape=(3, 32, 32)):
        super().__init__()
        self.nodes, self.timesteps, self.layers = arch["nodes"], timesteps, nn.ModuleDict()
        sizes, before = {"input": shape}, "input"
        for node in self.nodes:
            name = node["name"]
            node.setdefault("from", before)
            before = name
            if "avgpool" in node or "maxpool" in node:
                size = node.get("avgpool") or node.get("maxpool")
                c, h, w = sizes[node["from"]]
                sizes[name] = (c, h // size, w // size)
                self.layers[self.key(name)] = (nn.AvgPool2d if "avgpool" in node else nn.MaxPool2d)(size)
                continue
            for synapse in [node] + ([node["shortcut"]] if "shortcut" in node else []):
                module, sizes[name] = self.synapse(synapse, sizes[synapse["from"]], classes, node.get("readout", False))
                self.layers[self.key(synapse["name"])] = module
            if not node.get("readout"):
                self.layers[self.key(name) + "_lif"] = framework.lif()

    @staticmethod
    def key(name):
        return name.replace(".", "_")

    @staticmethod
    def synapse(s, shape, classes, readout):
        if "identity" in s:
            width, stride = s["identity"]
            return Identity(shape[0], width, stride), (width, shape[1] // stride, shape[2] // stride)
        if "conv" in s:
            out, kernel, stride, pad = s["conv"]
            after = (out, *((side + 2 * pad - kernel) // stride + 1 for side in shape[1:]))
            return nn.Sequential(nn.Conv2d(shape[0], out, kernel, stride, pad, bias=False), nn.BatchNorm2d(out)), after
        inputs = 1
        for side in shape:
            inputs *= side
        out = s["linear"] or classes
        layers = [nn.Flatten(), nn.Linear(inputs, out, bias=readout)]
        return nn.Sequential(*layers, *([] if readout else [nn.BatchNorm1d(out)])), (out,)

    def forward(self, images):
        values = {"input": images}  # [B,C,H,W]: the same at every step, until the first neurons
        # [T,B,C,H,W] and [T,B,F] go through layers without time as one batch of T*B.
        fold = lambda layer, x: layer(x.flatten(0, 1)).unflatten(0, x.shape[:2]) if x.dim() in (3, 5) else layer(x)
        for node in self.nodes:
            name = node["name"]
            layer = self.layers[self.key(name)]
            x = fold(layer, values[node["from"]])
            if "shortcut" in node:
                x = x + fold(self.layers[self.key(node["shortcut"]["name"])], values[node["shortcut"]["from"]])
            if self.key(name) + "_lif" in self.layers:
                if node["from"] == "input":
                    x = x.unsqueeze(0).expand(self.timesteps, *x.shape)
                x = self.layers[self.key(name) + "_lif"](x)
            values[name] = x
        return x.mean(0)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("framework", choices=FRAMEWORKS)
    parser.add_argument("arch")
    for name, default in (("steps", 20), ("batch", 64), ("timesteps", 4), ("threads", 2), ("classes", 10)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--channels-last", action="store_true")
    o = parser.parse_args()
    torch.set_num_threads(o.threads)
    torch.manual_seed(1)
    framework = FRAMEWORKS[o.framework]()
    with open(o.arch) as file:
        net = Network(json.load(file), framework, o.timesteps, o.classes)
    layout = torch.channels_last if o.channels_last else torch.contiguous_format
    net = net.to(memory_format=layout)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=5e-4)
    images, labels = torch.randn(o.batch, 3, 32, 32).contiguous(memory_format=layout), torch.randint(0, o.classes, (o.batch,))
    start = 0
    warm = min(2, o.steps - 1)
    for step in range(o.steps):
        if step == warm:
            start = time.perf_counter()
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(images), labels)
        loss.backward()
        optimizer.step()
        framework.reset(net)
    print(json.dumps({"images_per_s": o.batch * (o.steps - warm) / (time.perf_counter() - start), "loss": loss.item(),
                      "parameters": sum(p.numel() for p in net.parameters()), "torch": torch.__version__,
                      "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6}))


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        print({name: bool(make()) for name, make in FRAMEWORKS.items()}, torch.__version__)
    else:
        main()
