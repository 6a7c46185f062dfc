"""Writes a data set of two 1x1x2 images (255 0) and (51 255), labels 0 and 1, as the readers' set "npy" wants it."""
import os
import sys


def write(path, descr, shape, data):
    header = "{'descr': '%s', 'fortran_order': False, 'shape': %s, }" % (descr, shape)
    header += " " * (63 - (10 + len(header)) % 64) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + data)


os.makedirs(sys.argv[1], exist_ok=True)
write(os.path.join(sys.argv[1], "train_images.npy"), "|u1", (2, 1, 1, 2), bytes([255, 0, 51, 255]))
write(os.path.join(sys.argv[1], "train_labels.npy"), "|u1", (2,), bytes([0, 1]))
