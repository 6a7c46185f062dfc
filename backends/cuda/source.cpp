#include "backends/cuda/source.h"
#include "backends/cuda/forms.h"

#include <sstream>

namespace lasnn::cuda {
namespace {

std::string numbers(std::initializer_list<int64_t> values) {
  std::ostringstream out;
  const char *between = "";
  for (int64_t value : values) {
    // -2147483648 is no int literal in C++
    out << between << (value == INT32_MIN ? std::string("(-2147483647 - 1)") : std::to_string(value));
    between = ", ";
  }
  return out.str();
}

std::string inputText(const InputShape &in) {
  return "{" + numbers({in.form, in.channels, in.words, in.height, in.width, in.kernel_h, in.kernel_w, in.stride_h, in.stride_w, in.dilation_h, in.dilation_w,
                        in.pad_top, in.pad_left, in.groups, in.pool_h, in.pool_w}) + "}";
}

std::string shapeText(const LayerShape &l) {
  std::string inputs;
  for (uint32_t i = 0; i < l.input_count; ++i)
    inputs += (i ? ", " : "") + inputText(l.input[i]);
  return "{" + numbers({l.input_count}) + ", {" + inputs + "}, " + inputText(l.compared) + ", " +
         numbers({l.out_form, l.out_channels, l.out_words, l.out_height, l.out_width, l.timesteps, l.readout_last, l.readout_offset, l.readout_stride,
                  l.pool_sum, l.decay, l.reset, l.state_bits, l.s_max, l.v_low}) + "}";
}

std::string callOf(const Launch &launch) {
  const Form &form = formOf(launch.kernel);
  return form.tiles.empty() ? form.function : std::string(form.function) + "<" + std::to_string(launch.steps) + ", " + std::to_string(launch.tiles) + ">";
}

/// The first launch that calls the same kernel with the same sizes.
size_t firstLike(const Program &program, size_t launch) {
  const auto textOf = [&](size_t i) { return callOf(program.launches[i]) + shapeText(program.launches[i].shape); };
  const std::string text = textOf(launch);
  size_t first = 0;
  while (textOf(first) != text)
    ++first;
  return first;
}

} // namespace

std::string kernelName(const Program &program, size_t launch) { return "lasnn_" + std::to_string(firstLike(program, launch)); }

std::string sourceOf(const Program &program) {
  std::ostringstream out;
  out << "#include \"kernels.h\"\nusing namespace lasnn::cuda;\n";
  for (size_t i = 0; i < program.launches.size(); ++i) {
    const Launch &launch = program.launches[i];
    if (firstLike(program, i) != i)
      continue;
    // The shape is a constant of the unit: the optimizer folds its numbers before it looks at loops, which it does not for a local one.
    out << "\nstatic constexpr LayerShape shape_" << i << " = " << shapeText(launch.shape) << ";\nextern \"C\" __global__ void __launch_bounds__(" << threadsPerBlock << ") "
        << kernelName(program, i) << "(const Pointers p) { " << callOf(launch) << "(shape_" << i << ", p); } // " << nameOf(launch.kernel) << "\n";
  }
  return out.str();
}

const std::vector<std::pair<const char *, const char *>> &kernelHeaders() {
  static const std::vector<std::pair<const char *, const char *>> headers = {
#include "cuda_kernel_headers.inc"
  };
  return headers;
}

} // namespace lasnn::cuda
