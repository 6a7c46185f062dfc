// Synaptic operations of one synapse: every spike times the output pixels whose windows hold it times the channels it feeds.
#pragma once

namespace lasnn::runtime::LASNN_ISA {

static void synops_u8(const SynopsTask &task) {
  const uint32_t words = wordCount(task.in.channels);
  uint64_t total = 0;
  for (uint32_t y = 0; y < task.in.height; ++y) {
    uint64_t row = 0;
    for (uint32_t x = 0; x < task.in.width; ++x) {
      const uint8_t *pixel = task.in.data + (size_t(y) * task.in.width + x) * task.in.pixel_stride;
      uint64_t spikes = 0;
      for (uint32_t t = 0; t < task.steps; ++t) {
        const uint8_t *step = pixel + t * task.in.step_stride;
        if (task.in.max_count > 1) {
          for (uint32_t i = 0; i < words * 64; ++i)
            spikes += step[i];
        } else {
          for (uint32_t w = 0; w < words; ++w) {
            uint64_t bits;
            memcpy(&bits, step + 8 * w, 8);
            spikes += unsigned(__builtin_popcountll(bits));
          }
        }
      }
      row += spikes * task.column_uses[x];
    }
    total += row * task.row_uses[y];
  }
  *task.synops += total * task.fanout;
}

} // namespace lasnn::runtime::LASNN_ISA
