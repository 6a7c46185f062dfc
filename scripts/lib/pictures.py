"""Sample images, what the network says of them, and where its neurons fire, as PNGs inside data: URIs."""
import base64
import gzip
import math
import pathlib
import struct
import zlib

import native

CLASSES = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")


def read_idx(path):
    """The bytes and sizes of an IDX file, plain or gzipped."""
    path = pathlib.Path(path)
    raw = path.read_bytes() if path.exists() else gzip.decompress(path.with_name(path.name + ".gz").read_bytes())
    rank = raw[3]
    return raw[4 + 4 * rank:], struct.unpack(f">{rank}I", raw[4:4 + 4 * rank])


def png(rows, palette, alpha=None):
    """Rows of palette indices as an indexed PNG in a data: URI."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    header = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 3, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"PLTE", bytes(sum(palette, ())))
    if alpha:
        data += chunk(b"tRNS", bytes(alpha))
    data += chunk(b"IDAT", zlib.compress(b"".join(b"\0" + bytes(row) for row in rows), 9)) + chunk(b"IEND", b"")
    return "data:image/png;base64," + base64.b64encode(data).decode()


def photograph(pixels, width):
    """Grey, dark on light like the catalogue it came from."""
    grey = [(255 - i,) * 3 for i in range(256)]
    return png([pixels[at:at + width] for at in range(0, len(pixels), width)], grey)


def spike_map(counts, channels, height, width):
    """The share of channels that fire at each place, 0..255, scaled by the busiest place of the layer."""
    share = [0] * (height * width)
    for channel in range(channels):
        base = channel * height * width
        for at in range(height * width):
            share[at] += counts[base + at] > 0
    return share


def spike_strip(network, layer):
    """All T steps of one layer side by side; opacity is the share of channels that fire."""
    _, channels, height, width = network.layers[layer]
    if height * width == 1:  # a vector: fold its neurons into a square
        side = math.ceil(math.sqrt(channels))
        shape = lambda counts: ([int(b > 0) for b in counts] + [0] * (side * side - channels), side, side)
    else:
        shape = lambda counts: (spike_map(counts, channels, height, width), height, width)
    maps = [shape(network.spikes(layer, step)) for step in range(network.info.timesteps)]
    top = max(1, max(max(values) for values, _, _ in maps))
    _, height, width = maps[0]
    rows = []
    for y in range(height):
        row = []
        for values, _, _ in maps:
            row += [255 * values[y * width + x] // top for x in range(width)] + [0]
        rows.append(row[:-1])
    return png(rows, [(217, 72, 15)] * 256, list(range(256)))


def softmax(logits):
    top = max(logits)
    powers = [math.exp(value - top) for value in logits]
    return [power / sum(powers) for power in powers]


def choose(network, images, labels, size, count):
    """The first image of each class that the network gets right, then mistakes, in order of the file."""
    right, wrong, seen = [], [], set()
    for index in range(min(400, len(labels))):
        logits = network.run(images[index * size:(index + 1) * size])
        if logits.index(max(logits)) != labels[index]:
            wrong.append(index)
        elif labels[index] not in seen:
            seen.add(labels[index])
            right.append(index)
        if len(right) >= count - 2 and len(wrong) >= 2:
            break
    return sorted(right[:count - 2]) + wrong[:2]


def samples(artefact, data, count=8):
    """Cards for the report; [] when the library or the data is missing."""
    if native.find_library() is None or not pathlib.Path(artefact).exists():
        return []
    images, (_, height, width) = read_idx(f"{data}/t10k-images-idx3-ubyte")
    labels, _ = read_idx(f"{data}/t10k-labels-idx1-ubyte")
    network, cards = native.Network(artefact), []
    for index in choose(network, images, labels, height * width, count):
        pixels = images[index * height * width:(index + 1) * height * width]
        shares = softmax(network.run(pixels))
        best = sorted(range(len(shares)), key=lambda k: -shares[k])[:3]
        cards.append({
            "index": index, "label": CLASSES[labels[index]], "right": best[0] == labels[index],
            "guesses": [(CLASSES[k], shares[k]) for k in best], "image": photograph(pixels, width),
            "strips": [(network.layers[layer][0], spike_strip(network, layer)) for layer in range(network.info.layer_count)],
        })
    network.close()
    return cards
