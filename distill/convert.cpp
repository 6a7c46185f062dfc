#include "distill/convert.h"
#include "distill/learn.h"
#include "distill/workers.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

namespace lasnn::distill {
namespace {

// Images and steps of one forward pass: few enough that a small network's layers stay near the caches.
constexpr size_t batchImages = 32;
constexpr int64_t passSteps = 8;
constexpr double stateLimit = 4e9; // bytes of membranes that may be held between rounds

/// One batch of images on its way through time.
struct Running {
  torch::Tensor images, labels, sum; // sum: of the read-out so far [B,K]
  int64_t done = 0;
  std::map<std::string, torch::Tensor> membrane; // [B,F]
  std::map<std::string, torch::Tensor> counts;   // of what a max pool has seen [B,C,H,W]
};

/// theta of every neuron of a layer [F].
torch::Tensor spread(const torch::Tensor &theta, const std::vector<int64_t> &shape) {
  std::vector<int64_t> view(shape.size(), 1);
  view[0] = -1;
  return theta.view(view).expand(shape).contiguous().view({-1});
}

/// The equations of convert.h over `steps` steps; returns theta * s, and counts spikes.
torch::Tensor integrate(const Steps &current, int64_t steps, const torch::Tensor &theta, torch::Tensor &membrane, int64_t &spikes) {
  const torch::Tensor in = current.x.to(torch::kFloat32).contiguous();
  const int64_t batch = in.size(0) / current.steps, neurons = theta.numel();
  std::vector<int64_t> sizes = in.sizes().vec();
  sizes[0] = steps * batch;
  torch::Tensor out = torch::empty(sizes);
  const float *limit = theta.data_ptr<float>();
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t t = 0; t < steps; ++t) {
      const float *i = in.data_ptr<float>() + ((current.steps == 1 ? 0 : t) * batch + b) * neurons;
      float *v = membrane.data_ptr<float>() + b * neurons, *s = out.data_ptr<float>() + (t * batch + b) * neurons;
      int64_t fired = 0;
      for (int64_t n = 0; n < neurons; ++n) {
        const float u = v[n] + i[n];
        s[n] = u > limit[n] ? limit[n] : 0.0f;
        fired += u > limit[n];
        v[n] = u - s[n];
      }
      spikes += fired;
    }
  return out;
}

/// Lets through, of each window, the spikes of the neuron that spiked most so far.
torch::Tensor gatedPool(const Steps &in, const Pool &pool, torch::Tensor &counts) {
  const int64_t size = pool.size ? pool.size : in.x.size(2), stride = pool.size ? pool.stride : size; // 0: the whole image
  const int64_t batch = in.x.size(0) / in.steps;
  std::vector<torch::Tensor> steps;
  for (int64_t t = 0; t < in.steps; ++t) {
    const torch::Tensor s = in.x.narrow(0, t * batch, batch);
    counts = counts.defined() ? counts + s : s;
    const torch::Tensor busiest = std::get<1>(torch::max_pool2d_with_indices(counts, {size, size}, {stride, stride}, {pool.pad, pool.pad}));
    steps.push_back(s.flatten(2).gather(2, busiest.flatten(2)).view(busiest.sizes()));
  }
  return torch::cat(steps);
}

void checkConvertible(const Model &teacher) {
  if (teacher.student())
    throw std::invalid_argument("a student spikes already; what is converted is a teacher (`lasnn-distill teacher`)");
  if (teacher.network->layerNames().empty())
    throw std::invalid_argument("the network has no layer with a neuron, so there is nothing to convert");
  for (const Node &node : teacher.network->arch.nodes)
    if (node.recurrent)
      throw std::invalid_argument(fmt::format("{}: a recurrent layer has no rate that a ReLU network could give; conversion takes feed-forward networks", node.name));
}

int64_t neuronCount(const Network &network) {
  int64_t all = 0;
  for (const std::string &name : network.layerNames()) {
    int64_t count = 1;
    for (int64_t size : network.layerShape(name))
      count *= size;
    all += count;
  }
  return all;
}

} // namespace

Thresholds balanceThresholds(const Model &teacher, const data::Dataset &training, const ConvertOptions &o) {
  checkConvertible(teacher);
  checkDataset(teacher, training);
  torch::InferenceMode inference;
  Network &network = *teacher.network;
  network.eval();
  network.bfloat16 = false;
  std::vector<uint32_t> indices = epochOrder(training.count, 1, 0);
  indices.resize(std::min<size_t>(indices.size(), size_t(o.calibrate)));
  const Batch batch = makeBatch(training, indices, {}, 1, false);
  // The k-th smallest of each row: the percentile, and the whole for 100.
  auto percentile = [&](const torch::Tensor &rows) {
    const int64_t n = rows.size(1), k = std::clamp(int64_t(std::ceil(o.percentile / 100 * double(n))), int64_t(1), n);
    torch::Tensor value = std::get<0>(rows.kthvalue(k, 1));
    return torch::where(value > 0, value, rows.amax(1)); // mostly silent: what little there is
  };
  Thresholds thresholds;
  for (const auto &[name, value] : network.forward(stillInput(batch), 1).layers) {
    const torch::Tensor x = value.x.to(torch::kFloat32);
    torch::Tensor whole = percentile(x.reshape({1, -1}));
    if (whole.item<float>() <= 0)
      whole = torch::ones({1}); // a dead layer stays dead at any threshold
    torch::Tensor theta = whole;
    if (o.perChannel) {
      theta = percentile(x.transpose(0, 1).reshape({x.size(1), -1}));
      theta = torch::where(theta > 0, theta, whole); // silent on these images
    }
    // What is subtracted must be what is passed on, so theta is a number that the convolutions' type can hold.
    thresholds[name] = o.bfloat16 ? theta.to(torch::kBFloat16).to(torch::kFloat32) : theta.contiguous();
  }
  return thresholds;
}

int64_t Conversion::reaches(double share) const {
  const auto found = std::find_if(top1.begin(), top1.end(), [&](double x) { return x >= share; });
  return found == top1.end() ? 0 : found - top1.begin() + 1;
}

Conversion runConverted(const Model &teacher, const Thresholds &thresholds, const data::Dataset &set, const ConvertOptions &o) {
  checkConvertible(teacher);
  checkDataset(teacher, set);
  Network &network = *teacher.network;
  network.eval();
  const int64_t neurons = neuronCount(network);
  const double bytes = 4.0 * double(neurons) * double(set.count);
  if (bytes > stateLimit)
    throw std::runtime_error(fmt::format("{} images of {} neurons are {:.1f} GB of membranes between rounds (allowed: {:.0f}); give --limit={}", set.count, neurons,
                                         bytes / 1e9, stateLimit / 1e9, int64_t(stateLimit / 4 / double(neurons))));
  std::map<std::string, torch::Tensor> theta;
  for (const auto &[name, value] : thresholds)
    theta[name] = spread(value, network.layerShape(name));

  std::vector<Running> runs((set.count + batchImages - 1) / batchImages);
  const int workers = std::max(1, std::min<int>(o.threads, int(runs.size())));
  struct Part {
    std::vector<int64_t> correct, spikes; // a step
    int64_t ann = 0;
  };
  std::vector<Part> parts(static_cast<size_t>(workers));
  std::vector<uint32_t> order(set.count);
  std::iota(order.begin(), order.end(), 0u);
  network.bfloat16 = false;

  at::set_num_threads(1);
  Workers team(workers, [] { at::set_num_threads(1); });
  auto eachRun = [&](const std::function<void(Running &, size_t, Part &)> &body) {
    team.run([&](int k) {
      torch::InferenceMode inference;
      for (size_t r = size_t(k); r < runs.size(); r += size_t(workers))
        body(runs[r], r, parts[size_t(k)]);
    });
  };
  const auto start = std::chrono::steady_clock::now();
  eachRun([&](Running &run, size_t r, Part &part) {
    const size_t from = r * batchImages, to = std::min(set.count, from + batchImages);
    const Batch batch = makeBatch(set, {order.data() + from, to - from}, {}, from, false);
    run.images = stillInput(batch).x, run.labels = batch.labels;
    part.ann += (network.forward({run.images, 1}, 1).logits.x.argmax(1) == run.labels).sum().item<int64_t>();
  });

  network.bfloat16 = o.bfloat16;
  auto advance = [&](Running &run, int64_t until, Part &part) {
    const int64_t batch = run.labels.size(0);
    part.correct.resize(size_t(until), 0), part.spikes.resize(size_t(until), 0);
    while (run.done < until) {
      const int64_t steps = std::min(passSteps, until - run.done);
      int64_t spikes = 0;
      Stages stages;
      stages.neuron = [&](const Node &node, const Steps &current, int64_t T) {
        torch::Tensor &v = run.membrane[node.name];
        if (!v.defined())
          v = (theta.at(node.name) * (o.initial == "half" ? 0.5 : 0.0)).expand({batch, theta.at(node.name).numel()}).contiguous();
        return Steps{integrate(current, T, theta.at(node.name), v, spikes), T};
      };
      if (o.maxPool == "gate")
        stages.maxPool = [&](const Node &node, const Steps &in) {
          return Steps{gatedPool(in, node.pool, run.counts[node.name]), in.steps};
        };
      const Steps logits = network.forward({run.images, 1}, steps, &stages).logits;
      torch::Tensor each = logits.x.view({logits.steps, batch, -1}).to(torch::kFloat32);
      if (logits.steps < steps)
        each = each.expand({steps, batch, each.size(2)});
      torch::Tensor sums = each.cumsum(0);
      if (run.sum.defined())
        sums = sums + run.sum;
      run.sum = sums[-1].clone();
      const torch::Tensor correct = (sums.argmax(2) == run.labels).sum(1);
      for (int64_t t = 0; t < steps; ++t)
        part.correct[size_t(run.done + t)] += correct[t].item<int64_t>();
      part.spikes[size_t(run.done + steps - 1)] += spikes; // a pass' spikes, at its last step
      run.done += steps;
    }
  };

  Conversion out;
  out.images = set.count;
  for (const Part &part : parts)
    out.annTop1 += double(part.ann) / double(set.count);
  double spikes = 0;
  // Rounds end at powers of two, where it is decided whether to go on.
  for (int64_t done = 0, until = std::min(passSteps, o.timesteps); done < o.timesteps; done = until, until = std::min(2 * until, o.timesteps)) {
    eachRun([&](Running &run, size_t, Part &part) { advance(run, until, part); });
    for (int64_t t = done; t < until; ++t) {
      int64_t correct = 0;
      for (const Part &part : parts)
        if (size_t(t) < part.correct.size())
          correct += part.correct[size_t(t)], spikes += double(part.spikes[size_t(t)]);
      out.top1.push_back(double(correct) / double(set.count));
      out.rates.push_back(0);
    }
    // Spikes are known at the ends of passes; between them the rate so far stands for each step.
    for (int64_t t = done; t < until; ++t)
      out.rates[size_t(t)] = spikes / (double(neurons) * double(set.count) * double(until));
    // Near the teacher only: the first few steps, too, can pass without gain.
    const bool near = out.top1.back() >= 0.9 * out.annTop1;
    if (until < o.timesteps && o.until > 0 && out.reaches(o.until))
      out.stopped = fmt::format("top-1 {:.2f} % was reached", 100 * o.until);
    else if (until < o.timesteps && o.flat > 0 && near && until >= 2 * passSteps && out.top1.back() - out.top1[size_t(until / 2 - 1)] < o.flat)
      out.stopped = fmt::format("top-1 gained less than {:.2f} points from T = {} to {}", 100 * o.flat, until / 2, until);
    if (!out.stopped.empty())
      break;
  }
  out.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  network.bfloat16 = false;
  return out;
}

nlohmann::json conversionToJson(const Conversion &c) {
  nlohmann::json json = {{"images", c.images}, {"ann_top1", c.annTop1}, {"seconds", c.seconds}, {"steps_run", c.top1.size()}, {"stopped", c.stopped},
                         {"top1", c.top1}, {"over_time", nlohmann::json::array()}};
  for (int64_t t : doublings(int64_t(c.top1.size())))
    json["over_time"].push_back({{"timesteps", t}, {"top1", c.top1[size_t(t - 1)]}, {"spike_rate", c.rates[size_t(t - 1)]}});
  return json;
}

} // namespace lasnn::distill
