"""The runtime's C library from Python, as far as the report needs it: run one image, look at its spikes."""
import ctypes as c

import results


class Options(c.Structure):
    _fields_ = [("size", c.c_size_t), ("isa", c.c_int), ("arena", c.c_void_p), ("arena_size", c.c_size_t)]


class Tensor(c.Structure):
    _fields_ = [("name", c.c_char_p), ("channels", c.c_uint32), ("height", c.c_uint32), ("width", c.c_uint32)]


class Info(c.Structure):
    _fields_ = [("timesteps", c.c_uint32), ("encoding", c.c_int), ("input", Tensor), ("input_size", c.c_size_t),
                ("step_input_size", c.c_size_t), ("input_max", c.c_uint32), ("output_count", c.c_size_t), ("layer_count", c.c_uint32),
                ("isa", c.c_int), ("content_hash", c.c_uint64), ("output_scale", c.c_float)]


class Stats(c.Structure):
    _fields_ = [("tensor", Tensor), ("neurons", c.c_uint64), ("steps", c.c_uint64), ("spikes", c.c_uint64), ("synops", c.c_uint64),
                ("clips", c.c_uint64)]


def find_library():
    """The shared library of a build, newest first; None when none was built."""
    found = sorted((results.ROOT / "build").glob("*/runtime/liblasnn.so"), key=lambda path: path.stat().st_mtime)
    release = results.ROOT / "build/release/runtime/liblasnn.so"
    return release if release.exists() else found[-1] if found else None


class Network:
    def __init__(self, path):
        self.library = c.CDLL(str(find_library()))
        self.handle, error = c.c_void_p(), c.create_string_buffer(256)
        options = Options(size=c.sizeof(Options))
        self.library.lasnn_create_from_file.argtypes = [c.c_char_p, c.c_void_p, c.c_void_p, c.c_char_p, c.c_size_t]
        if self.library.lasnn_create_from_file(str(path).encode(), c.byref(options), c.byref(self.handle), error, len(error)):
            raise OSError(error.value.decode())
        self.info = Info()
        self.check(self.library.lasnn_get_info(self.handle, c.byref(self.info)))
        self.layers = []
        for index in range(self.info.layer_count):
            stats = Stats()
            self.check(self.library.lasnn_get_layer_stats(self.handle, c.c_uint32(index), c.byref(stats)))
            tensor = stats.tensor
            self.layers.append((tensor.name.decode(), tensor.channels, tensor.height, tensor.width))

    def check(self, status):
        if status:
            self.library.lasnn_get_error.restype = c.c_char_p
            raise OSError(self.library.lasnn_get_error(self.handle).decode())

    def run(self, pixels):
        """Logits of one sample of bytes."""
        output = (c.c_int32 * self.info.output_count)()
        self.check(self.library.lasnn_run(self.handle, pixels, c.c_size_t(len(pixels)), output, c.c_size_t(len(output))))
        return [value * self.info.output_scale for value in output]

    def spikes(self, layer, step):
        """Spike counts [C][H][W] of the last run, as bytes."""
        _, channels, height, width = self.layers[layer]
        counts = (c.c_uint8 * (channels * height * width))()
        self.check(self.library.lasnn_get_spikes(self.handle, c.c_uint32(layer), c.c_uint32(step), counts, c.c_size_t(len(counts))))
        return bytes(counts)

    def close(self):
        self.library.lasnn_destroy(self.handle)
