#include "backends/loihi/map/place.h"

#include "backends/loihi/map/links.h"
#include "backends/loihi/map/random.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

namespace lasnn::loihi {

namespace {

struct Neighbour {
  uint32_t core;
  double packets;
};

/// Both directions of every pair in one list a core: hops do not care which way.
std::vector<std::vector<Neighbour>> neighbours(const Traffic &traffic) {
  std::vector<std::vector<Neighbour>> lists(traffic.cores);
  for (const Traffic::Edge &e : traffic.edges) {
    if (e.from == e.to) continue;
    lists[e.from].push_back({e.to, e.packets});
    lists[e.to].push_back({e.from, e.packets});
  }
  for (auto &list : lists) {
    std::sort(list.begin(), list.end(), [](const Neighbour &a, const Neighbour &b) { return a.core < b.core; });
    size_t kept = 0;
    for (const Neighbour &n : list)
      if (kept > 0 && list[kept - 1].core == n.core)
        list[kept - 1].packets += n.packets;
      else
        list[kept++] = n;
    list.resize(kept);
  }
  return lists;
}

/// Tiles of a chip along a Hilbert curve over the smallest square that holds the mesh.
std::vector<uint32_t> hilbertTiles(const Mesh &mesh) {
  uint32_t side = 1;
  while (side < mesh.width || side < mesh.height)
    side *= 2;
  std::vector<uint32_t> tiles;
  for (uint64_t d = 0; d < uint64_t(side) * side; ++d) {
    uint64_t x = 0, y = 0, t = d;
    for (uint64_t s = 1; s < side; s *= 2) {
      const uint64_t rx = 1 & (t / 2), ry = 1 & (t ^ rx);
      if (ry == 0) {
        if (rx == 1) x = s - 1 - x, y = s - 1 - y;
        std::swap(x, y);
      }
      x += s * rx, y += s * ry, t /= 4;
    }
    if (x < mesh.width && y < mesh.height) tiles.push_back(uint32_t(x * mesh.height + y));
  }
  return tiles;
}

std::vector<uint32_t> coresOfTiles(const std::vector<uint32_t> &tiles, const Mesh &mesh) {
  std::vector<uint32_t> cores;
  for (const uint32_t tile : tiles)
    for (uint32_t i = 0; i < mesh.cores_per_tile; ++i)
      if (tile * mesh.cores_per_tile + i < mesh.cores_per_chip) cores.push_back(tile * mesh.cores_per_tile + i);
  return cores;
}

/// Chips by core: filled in order, then single moves and swaps that lower the packets between chips, while any does.
std::vector<uint32_t> assignChips(const Traffic &traffic, const Chip &chip, const std::vector<std::vector<Neighbour>> &near) {
  const uint32_t per_chip = chip.mesh.cores_per_chip, chips = (traffic.cores + per_chip - 1) / per_chip;
  std::vector<uint32_t> of(traffic.cores), used(chips, 0);
  for (uint32_t c = 0; c < traffic.cores; ++c)
    ++used[of[c] = c / per_chip];
  if (chips <= 1) return of;
  // packets of a core by chip
  std::vector<double> pull(size_t(traffic.cores) * chips, 0);
  for (uint32_t c = 0; c < traffic.cores; ++c)
    for (const Neighbour &n : near[c])
      pull[size_t(c) * chips + of[n.core]] += n.packets;
  const auto move = [&](uint32_t c, uint32_t to) {
    for (const Neighbour &n : near[c]) {
      pull[size_t(n.core) * chips + of[c]] -= n.packets;
      pull[size_t(n.core) * chips + to] += n.packets;
    }
    --used[of[c]];
    ++used[to];
    of[c] = to;
  };
  const auto between = [&](uint32_t a, uint32_t b) {
    const auto found = std::lower_bound(near[a].begin(), near[a].end(), b, [](const Neighbour &n, uint32_t core) { return n.core < core; });
    return found != near[a].end() && found->core == b ? found->packets : 0.0;
  };
  for (bool better = true, first = true; better || first; first = false) {
    better = false;
    for (uint32_t a = 0; a < traffic.cores; ++a) {
      const double *pa = &pull[size_t(a) * chips];
      uint32_t to = of[a];
      for (uint32_t k = 0; k < chips; ++k)
        if (pa[k] > pa[to] + 1e-9) to = k;
      if (to == of[a]) continue;
      if (used[to] < per_chip) {
        move(a, to);
        better = true;
        continue;
      }
      double best = 1e-9;
      uint32_t with = UINT32_MAX;
      for (uint32_t b = 0; b < traffic.cores; ++b) {
        if (of[b] != to) continue;
        const double *pb = &pull[size_t(b) * chips];
        const double gain = pa[to] - pa[of[a]] + pb[of[a]] - pb[to] - 2 * between(a, b);
        if (gain > best) best = gain, with = b;
      }
      if (with == UINT32_MAX) continue;
      const uint32_t from = of[a];
      move(a, to);
      move(with, from);
      better = true;
    }
  }
  return of;
}

/// Annealing of one chip's cores over its slots.
class Annealing {
public:
  Annealing(const Chip &chip, const std::vector<uint32_t> &members, const std::vector<std::vector<Neighbour>> &near, const Traffic &traffic,
            const PlaceOptions &options, uint64_t seed)
      : mesh_(chip.mesh), members_(members), options_(options), random_(seed) {
    const uint32_t count = uint32_t(members.size());
    std::vector<uint32_t> local(near.size(), UINT32_MAX);
    for (uint32_t i = 0; i < count; ++i)
      local[members[i]] = i;
    near_.resize(count);
    for (uint32_t i = 0; i < count; ++i)
      for (const Neighbour &n : near[members[i]])
        if (local[n.core] != UINT32_MAX) near_[i].push_back({local[n.core], n.packets});
    out_.resize(count);
    in_.resize(count);
    for (const Traffic::Edge &e : traffic.edges)
      if (local[e.from] != UINT32_MAX && local[e.to] != UINT32_MAX && e.from != e.to) {
        out_[local[e.from]].push_back({local[e.to], e.packets});
        in_[local[e.to]].push_back({local[e.from], e.packets});
        packets_ += e.packets;
      }
    order_ = coresOfTiles(hilbertTiles(mesh_), mesh_);
    core_at_.assign(order_.size(), UINT32_MAX);
    slot_.resize(count);
    x_.resize(count);
    y_.resize(count);
    for (uint32_t i = 0; i < count; ++i)
      put(i, i);
  }

  /// Cores on the chip, by member.
  std::vector<uint32_t> run() {
    if (members_.size() > 1) {
      annealHops();
      if (options_.link_moves_per_core > 0) annealLinks();
    }
    std::vector<uint32_t> cores(members_.size());
    for (uint32_t i = 0; i < cores.size(); ++i)
      cores[i] = order_[slot_[i]];
    return cores;
  }

private:
  void put(uint32_t core, uint32_t slot) {
    slot_[core] = slot;
    core_at_[slot] = core;
    const uint32_t tile = mesh_.tileOf(order_[slot]);
    x_[core] = int32_t(mesh_.xOf(tile));
    y_[core] = int32_t(mesh_.yOf(tile));
  }
  void exchange(uint32_t a, uint32_t slot) {
    const uint32_t b = core_at_[slot], from = slot_[a];
    put(a, slot);
    if (b != UINT32_MAX)
      put(b, from);
    else
      core_at_[from] = UINT32_MAX;
  }

  /// Packet hops of the core if it lay at (x, y), but for those with `other`.
  double hopsAt(uint32_t core, int32_t x, int32_t y, uint32_t other) const {
    double sum = 0;
    for (const Neighbour &n : near_[core])
      if (n.core != other) sum += n.packets * (std::abs(x - x_[n.core]) + std::abs(y - y_[n.core]));
    return sum;
  }
  double hopsDelta(uint32_t a, uint32_t slot) const {
    const uint32_t b = core_at_[slot], tile = mesh_.tileOf(order_[slot]);
    const int32_t x = int32_t(mesh_.xOf(tile)), y = int32_t(mesh_.yOf(tile));
    double delta = hopsAt(a, x, y, b) - hopsAt(a, x_[a], y_[a], b);
    if (b != UINT32_MAX) delta += hopsAt(b, x_[a], y_[a], a) - hopsAt(b, x, y, a);
    return delta;
  }

  /// Any slot; half of the time one near where the core's partners are.
  uint32_t proposal(uint32_t a) {
    const uint32_t slots = uint32_t(order_.size());
    if (near_[a].empty() || random_.below(2) == 0) return random_.below(slots);
    const uint32_t towards = near_[a][random_.below(uint32_t(near_[a].size()))].core;
    const int32_t x = std::clamp(x_[towards] + int32_t(random_.below(5)) - 2, 0, int32_t(mesh_.width) - 1);
    const int32_t y = std::clamp(y_[towards] + int32_t(random_.below(5)) - 2, 0, int32_t(mesh_.height) - 1);
    const uint32_t core = (uint32_t(x) * mesh_.height + uint32_t(y)) * mesh_.cores_per_tile + random_.below(mesh_.cores_per_tile);
    return core < slot_of_core_.size() && slot_of_core_[core] != UINT32_MAX ? slot_of_core_[core] : random_.below(slots);
  }

  void annealHops() {
    slot_of_core_.assign(mesh_.tiles() * mesh_.cores_per_tile, UINT32_MAX);
    for (uint32_t s = 0; s < order_.size(); ++s)
      slot_of_core_[order_[s]] = s;
    const uint32_t count = uint32_t(members_.size());
    const uint64_t moves = uint64_t(options_.moves_per_core * count);
    // The temperature starts where a usual worsening is taken often, and ends where none is.
    double sum = 0;
    uint32_t seen = 0;
    for (uint32_t i = 0; i < 200; ++i) {
      const uint32_t a = random_.below(count);
      const double delta = std::abs(hopsDelta(a, random_.below(uint32_t(order_.size()))));
      if (delta > 0) sum += delta, ++seen;
    }
    if (seen == 0) return;
    const double start = 0.5 * sum / seen, end = start * 1e-3;
    double cost = 0, best = 0;
    std::vector<uint32_t> best_slot = slot_;
    const auto began = std::chrono::steady_clock::now();
    for (uint64_t move = 0; move < moves; ++move) {
      if (options_.time_limit_s > 0 && move % 4096 == 0 &&
          std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count() > options_.time_limit_s)
        break;
      const double temperature = start * std::pow(end / start, double(move) / double(moves));
      const uint32_t a = random_.below(count), slot = proposal(a);
      if (slot == slot_[a] || mesh_.tileOf(order_[slot]) == mesh_.tileOf(order_[slot_[a]])) continue;
      const double delta = hopsDelta(a, slot);
      if (delta > 0 && random_.unit() >= std::exp(-delta / temperature)) continue;
      exchange(a, slot);
      cost += delta;
      if (cost < best - 1e-9) best = cost, best_slot = slot_;
    }
    restore(best_slot);
  }

  void restore(const std::vector<uint32_t> &slots) {
    std::fill(core_at_.begin(), core_at_.end(), UINT32_MAX);
    for (uint32_t i = 0; i < slots.size(); ++i)
      put(i, slots[i]);
  }

  // Links of the mesh: from each tile 4 directions, dimension order x then y.
  void walk(uint32_t from, uint32_t to, double packets) {
    int32_t x = x_[from], y = y_[from];
    const auto add = [&](uint32_t direction) {
      double &load = load_[(uint32_t(x) * mesh_.height + uint32_t(y)) * 4 + direction];
      square_ += (2 * load + packets) * packets;
      load += packets;
    };
    for (; x < x_[to]; ++x)
      add(0);
    for (; x > x_[to]; --x)
      add(1);
    for (; y < y_[to]; ++y)
      add(2);
    for (; y > y_[to]; --y)
      add(3);
  }
  void walkAll(uint32_t core, uint32_t other, double sign) {
    for (const Neighbour &n : out_[core])
      walk(core, n.core, sign * n.packets);
    for (const Neighbour &n : in_[core])
      if (n.core != other) walk(n.core, core, sign * n.packets);
    if (other == UINT32_MAX) return;
    for (const Neighbour &n : out_[other])
      if (n.core != core) walk(other, n.core, sign * n.packets);
    for (const Neighbour &n : in_[other])
      if (n.core != core) walk(n.core, other, sign * n.packets);
    for (const Neighbour &n : out_[other])
      if (n.core == core) walk(other, core, sign * n.packets);
  }

  /// Few hops still, and a low busiest link; the links' squares lead there from where no single move lowers it.
  void annealLinks() {
    load_.assign(mesh_.tiles() * 4, 0);
    square_ = 0;
    double hops = 0;
    for (uint32_t i = 0; i < out_.size(); ++i)
      for (const Neighbour &n : out_[i]) {
        walk(i, n.core, n.packets);
        hops += n.packets * (std::abs(x_[i] - x_[n.core]) + std::abs(y_[i] - y_[n.core]));
      }
    if (hops <= 0) return;
    const double hops0 = hops, most0 = *std::max_element(load_.begin(), load_.end());
    const auto costOf = [&](double h) {
      return h / hops0 + options_.link_weight * *std::max_element(load_.begin(), load_.end()) / most0 +
             0.1 * options_.link_weight * std::sqrt(square_) / most0;
    };
    double cost = costOf(hops), best = cost;
    std::vector<uint32_t> best_slot = slot_;
    const uint32_t count = uint32_t(members_.size());
    const uint64_t moves = uint64_t(options_.link_moves_per_core * count);
    const auto began = std::chrono::steady_clock::now();
    for (uint64_t move = 0; move < moves; ++move) {
      if (options_.time_limit_s > 0 && move % 1024 == 0 &&
          std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count() > options_.time_limit_s)
        break;
      const double temperature = 0.002 * std::pow(1e-3, double(move) / double(moves));
      const uint32_t a = random_.below(count), slot = proposal(a), back = slot_[a], b = core_at_[slot];
      if (slot == back || mesh_.tileOf(order_[slot]) == mesh_.tileOf(order_[back])) continue;
      const double delta = hopsDelta(a, slot);
      if (delta / hops0 > 5 * temperature + options_.link_weight * 0.2) continue;
      walkAll(a, b, -1);
      exchange(a, slot);
      walkAll(a, b, 1);
      const double now = costOf(hops + delta);
      if (now > cost && random_.unit() >= std::exp((cost - now) / temperature)) {
        walkAll(a, b, -1);
        exchange(a, back);
        walkAll(a, b, 1);
        continue;
      }
      hops += delta;
      cost = now;
      if (cost < best - 1e-12) best = cost, best_slot = slot_;
    }
    restore(best_slot);
  }

  const Mesh &mesh_;
  const std::vector<uint32_t> &members_;
  const PlaceOptions &options_;
  Random random_;
  std::vector<std::vector<Neighbour>> near_, out_, in_;
  std::vector<uint32_t> order_, core_at_, slot_, slot_of_core_;
  std::vector<int32_t> x_, y_;
  std::vector<double> load_;
  double square_ = 0, packets_ = 0;
};

} // namespace

std::vector<uint32_t> placeInOrder(const Traffic &traffic, const Chip &chip, PlaceOrder order, uint64_t seed) {
  const uint32_t per_chip = chip.mesh.cores_per_chip, chips = (traffic.cores + per_chip - 1) / per_chip;
  std::vector<uint32_t> slots(per_chip);
  std::iota(slots.begin(), slots.end(), 0u);
  if (order == PlaceOrder::Hilbert) slots = coresOfTiles(hilbertTiles(chip.mesh), chip.mesh);
  std::vector<uint32_t> address(size_t(chips) * per_chip);
  for (uint32_t i = 0; i < address.size(); ++i)
    address[i] = i / per_chip * per_chip + slots[i % per_chip];
  if (order == PlaceOrder::Random) {
    Random random(seed);
    for (uint32_t i = uint32_t(address.size()); i > 1; --i)
      std::swap(address[i - 1], address[random.below(i)]);
  }
  address.resize(traffic.cores);
  return address;
}

std::vector<uint32_t> place(const Traffic &traffic, const Chip &chip, const PlaceOptions &options) {
  const std::vector<std::vector<Neighbour>> near = neighbours(traffic);
  const std::vector<uint32_t> of = assignChips(traffic, chip, near);
  const uint32_t chips = of.empty() ? 0 : *std::max_element(of.begin(), of.end()) + 1;
  std::vector<uint32_t> address(traffic.cores, 0);
  for (uint32_t k = 0; k < chips; ++k) {
    std::vector<uint32_t> members;
    for (uint32_t c = 0; c < traffic.cores; ++c)
      if (of[c] == k) members.push_back(c);
    PlaceOptions each = options;
    each.time_limit_s = options.time_limit_s / chips;
    const std::vector<uint32_t> cores = Annealing(chip, members, near, traffic, each, options.seed * 1000003 + k).run();
    for (size_t i = 0; i < members.size(); ++i)
      address[members[i]] = k * chip.mesh.cores_per_chip + cores[i];
  }
  return address;
}

PlaceScore scoreOf(const Traffic &traffic, const std::vector<uint32_t> &address, const Chip &chip) {
  PlaceScore score;
  LinkLoads links(chip);
  for (const Traffic::Edge &e : traffic.edges) {
    score.packets += e.packets;
    if (address[e.from] / chip.mesh.cores_per_chip != address[e.to] / chip.mesh.cores_per_chip) score.between_chips += e.packets;
    score.hops += e.packets * links.add(address[e.from], address[e.to], e.packets);
  }
  score.max_link = links.largest();
  return score;
}

} // namespace lasnn::loihi
