// How a teacher is converted without training (convert.h has the equations). Free of Torch.
#pragma once

#include <cstdint>
#include <string>

namespace lasnn::distill {

struct ConvertOptions {
  double percentile = 99.9;
  bool perChannel = false;
  std::string initial = "half";  // half: v[0] = theta/2 | zero
  std::string maxPool = "gate";  // gate: the window's busiest neuron so far passes its spikes | spikes: the step's maximum
  int64_t calibrate = 256;       // training images that theta comes from
  int64_t timesteps = 2048;
  bool bfloat16 = false;         // convolutions; membranes stay float32
  double until = 0;              // > 0: stop at the power of two by which this top-1 (a share) was reached
  double flat = 0;               // > 0: stop at the power of two over which top-1 gained less than this share, near the teacher's
  int threads = 1;
};

} // namespace lasnn::distill
