// A network written as text, run by the interpreter. No MLIR type appears here, so the tests compile in a second.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

namespace lasnn::test {

using Values = std::vector<double>; ///< holds float and integer values without loss

struct Stats {
  std::string name;
  int64_t neurons = 0;
  uint64_t steps = 0, spikes = 0, clips = 0, synops = 0;
  double minV = 0, maxV = 0, minI = 0, maxI = 0;
  Values maxAbsV;
  bool operator==(const Stats &) const = default;
};

class Network {
public:
  /// `text` is a whole `snn.network`. A text that does not parse or verify, or that the interpreter refuses, leaves `error()` set.
  explicit Network(const std::string &text);
  ~Network();
  const std::string &error() const;

  int64_t timesteps() const;
  size_t inputSize() const;
  float outputScale() const;
  bool isInteger() const;

  /// "" or the interpreter's error. Bytes and floats as the network's input takes them.
  std::string run(const std::vector<uint8_t> &sample);
  std::string run(const std::vector<float> &sample);
  std::string step(const std::vector<uint8_t> &frame);
  std::string step(const std::vector<float> &frame);
  void reset();

  Values output() const;
  std::vector<Stats> stats() const;
  void clearStats();
  /// What the operation named `op` ("lif", or "lif#2" for the third in order of execution) gave at each step since the last
  /// run() or reset().
  std::vector<Values> trace(const std::string &op) const;
  /// Names of the operations in the order in which they ran at the first step.
  std::vector<std::string> order() const;

private:
  struct Impl;
  std::unique_ptr<Impl> impl;
};

/// A network of one operation `%y = <op> %x ...` between a float input and a `last` read-out: its output is the result.
Values evaluateFloat(const std::string &inputShape, const std::string &op, const std::string &resultShape, const std::vector<float> &x);
/// The same on spike counts (`events`, up to 255); `op` takes ui8 and gives i32.
Values evaluateCounts(const std::string &inputShape, const std::string &op, const std::string &resultShape, const std::vector<uint8_t> &x);

/// A float neuron `op` ("snn.lif %x {...}") driven by the currents [T][N]; N channels. Gives spikes [T][N].
struct Driven {
  std::vector<Values> spikes;
  Stats stats;
  std::string error;
};
Driven driveFloat(const std::string &op, const std::vector<std::vector<float>> &currents);
/// An integer neuron on the currents [T][N], |I| <= 32000, made from counts by a linear layer; `bias` is added to every one.
Driven driveInteger(const std::string &op, const std::vector<std::vector<int>> &currents, int bias = 0);

} // namespace lasnn::test
