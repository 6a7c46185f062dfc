"""Usage: toy_cifar.py DIR [--test=N]

Writes CIFAR-10 and CIFAR-100 binary folders of random images into DIR: the right files and form, nothing to learn. N test images of CIFAR-10 (32)."""
import pathlib
import random
import sys


def write(path, count, labels):
    rng = random.Random(path.name)
    with open(path, "wb") as file:
        for i in range(count):
            file.write(bytes(rng.randrange(classes) for classes in labels) + rng.randbytes(3072))


def main(folder, tests):
    ten, hundred = folder / "cifar10", folder / "cifar100"
    ten.mkdir(parents=True)
    hundred.mkdir()
    for i in range(1, 6):
        write(ten / f"data_batch_{i}.bin", 32, [10])
    write(ten / "test_batch.bin", tests, [10])
    write(hundred / "train.bin", 96, [20, 100])
    write(hundred / "test.bin", 32, [20, 100])


main(pathlib.Path(sys.argv[1]), int(sys.argv[2].removeprefix("--test=")) if len(sys.argv) > 2 else 32)
