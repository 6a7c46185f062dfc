// What every link carries: messages go along x, then along y, then from chip to chip (as the simulator routes them).
#pragma once

#include "backends/loihi/chip.h"
#include "backends/loihi/lmap.pb.h"

#include <algorithm>
#include <map>
#include <vector>

namespace lasnn::loihi {

class LinkLoads {
public:
  explicit LinkLoads(const Chip &chip) : mesh_(chip.mesh) {}

  /// Adds a message stream; returns its hops.
  uint32_t add(uint32_t from, uint32_t to, double packets) {
    const uint32_t from_chip = from / mesh_.cores_per_chip, to_chip = to / mesh_.cores_per_chip;
    const uint32_t start = mesh_.tileOf(from % mesh_.cores_per_chip), end = mesh_.tileOf(to % mesh_.cores_per_chip);
    uint32_t x = mesh_.xOf(start), y = mesh_.yOf(start), hops = 0;
    const uint32_t x_end = mesh_.xOf(end), y_end = mesh_.yOf(end);
    const size_t size = (size_t(from_chip) + 1) * mesh_.tiles() * 4;
    if (load_.size() < size) load_.resize(size, 0);
    const auto at = [&](uint32_t direction) -> double & {
      return load_[((size_t(from_chip) * mesh_.tiles()) + x * mesh_.height + y) * 4 + direction];
    };
    for (; x < x_end; ++x, ++hops)
      at(0) += packets;
    for (; x > x_end; --x, ++hops)
      at(1) += packets;
    for (; y < y_end; ++y, ++hops)
      at(2) += packets;
    for (; y > y_end; --y, ++hops)
      at(3) += packets;
    for (uint32_t c = from_chip; c != to_chip; ++hops) {
      const uint32_t next = c < to_chip ? c + 1 : c - 1;
      between_[{c, next, end}] += packets;
      c = next;
    }
    return hops;
  }

  double largest() const {
    double most = load_.empty() ? 0 : *std::max_element(load_.begin(), load_.end());
    for (const auto &[link, load] : between_)
      most = std::max(most, load);
    return most;
  }

  void write(lmap::Result &result) const {
    const auto put = [&](uint32_t chip_from, uint32_t tile_from, uint32_t chip_to, uint32_t tile_to, double load) {
      lmap::Link &link = *result.add_links();
      link.set_chip_from(chip_from);
      link.set_tile_from(tile_from);
      link.set_chip_to(chip_to);
      link.set_tile_to(tile_to);
      link.set_load(load);
    };
    for (size_t i = 0; i < load_.size(); ++i) {
      if (load_[i] == 0) continue;
      const uint32_t chip = uint32_t(i / 4 / mesh_.tiles()), tile = uint32_t(i / 4 % mesh_.tiles());
      const uint32_t next = i % 4 == 0 ? tile + mesh_.height : i % 4 == 1 ? tile - mesh_.height : i % 4 == 2 ? tile + 1 : tile - 1;
      put(chip, tile, chip, next, load_[i]);
    }
    for (const auto &[link, load] : between_)
      put(std::get<0>(link), std::get<2>(link), std::get<1>(link), std::get<2>(link), load);
  }

private:
  const Mesh &mesh_;
  std::vector<double> load_;                                           ///< by chip, tile, direction
  std::map<std::tuple<uint32_t, uint32_t, uint32_t>, double> between_; ///< (chip, chip, tile)
};

} // namespace lasnn::loihi
