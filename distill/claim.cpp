#include "distill/claim.h"
#include "distill/file.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <spawn.h>
#include <fcntl.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

extern char **environ;

namespace lasnn::distill {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Words = std::vector<std::string>;

void append(Words &words, const std::string &flags) {
  std::istringstream stream(flags);
  for (std::string word; stream >> word;)
    words.push_back(word);
}

/// Runs the program with `words`, its stdout into `out`; stderr stays ours, so that progress shows.
void runChild(const std::string &program, const Words &words, const std::string &out) {
  std::vector<char *> argv = {const_cast<char *>("lasnn-distill")};
  for (const std::string &word : words)
    argv.push_back(const_cast<char *>(word.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  pid_t child = 0;
  const int failed = posix_spawn(&child, fs::canonical(program).c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  int status = 0;
  if (failed || waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
    throw std::runtime_error(fmt::format("claim: this part failed (its message is above): lasnn-distill {}; give the same command again to go on from there", fmt::join(words, " ")));
}

/// The folder of a claim: which parts are done, by which words, on which models.
class Parts {
public:
  Parts(std::string program, fs::path folder) : program_(std::move(program)), folder_(std::move(folder)) {
    fs::create_directories(folder_);
    std::string text, error;
    if (readText(path("parts.json"), text, error))
      state_ = json::parse(text, nullptr, false);
    if (!state_.is_object())
      state_ = json::object();
  }
  std::string path(const std::string &name) const { return folder_ / name; }

  /// A training: NAME.pt. Its checkpoint is continued when it belongs to the same words.
  json train(const std::string &name, Words words) {
    const std::string checkpoint = path(name + ".checkpoint");
    json &entry = state_[name];
    words.insert(words.end(), {"-o", path(name + ".pt"), "--json"});
    if (entry.is_object() && entry["words"] == json(words) && entry.value("done", false) && fs::exists(path(name + ".pt")))
      return read(name, "used again");
    if (!entry.is_object() || entry["words"] != json(words))
      fs::remove(checkpoint);
    Words all = words;
    all.insert(all.end(), {"--checkpoint=" + checkpoint, "--resume"});
    const json result = run(name, words, all);
    fs::remove(checkpoint);
    return result;
  }
  /// A measurement of `model`: done again when the model's file is another one.
  json measure(const std::string &name, Words words, const std::string &model) {
    words.push_back("--json");
    const std::string stamp = fmt::format("{} {}", fs::file_size(model), fs::last_write_time(model).time_since_epoch().count());
    json &entry = state_[name];
    if (entry.is_object() && entry["words"] == json(words) && entry.value("done", false) && entry.value("model", "") == stamp && fs::exists(path(name + ".json")))
      return read(name, "used again");
    entry["model"] = stamp;
    return run(name, words, words);
  }
  /// name -> {"words", "seconds"}
  const json &state() const { return state_; }

private:
  json run(const std::string &name, const Words &words, const Words &all) {
    json &entry = state_[name];
    entry["words"] = words, entry["done"] = false;
    save();
    fmt::print(stderr, "{}: lasnn-distill {}\n", name, fmt::join(words, " "));
    const auto start = std::chrono::steady_clock::now();
    runChild(program_, all, path(name + ".json"));
    entry["seconds"] = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    entry["done"] = true;
    save();
    return read(name, nullptr);
  }
  json read(const std::string &name, const char *note) {
    if (note)
      fmt::print(stderr, "{}: {}\n", name, note);
    std::string text, error;
    json result = readText(path(name + ".json"), text, error) ? json::parse(text, nullptr, false) : json();
    if (!result.is_object())
      throw std::runtime_error(fmt::format("{}: holds no result; remove it and give the same command again", path(name + ".json")));
    return result;
  }
  void save() const {
    writeAtomically(path("parts.json"), [&](const std::string &temporary) { std::ofstream(temporary) << state_.dump(1) << '\n'; });
  }

  std::string program_;
  fs::path folder_;
  json state_;
};

/// One column's T -> mean and sample standard deviation over seeds.
json overSeeds(const std::vector<json> &curves, const std::vector<int64_t> &timesteps) {
  json list = json::array();
  for (size_t i = 0; i < timesteps.size(); ++i) {
    std::vector<double> values;
    double sum = 0, rate = 0, squares = 0;
    for (const json &curve : curves) {
      values.push_back(curve.at(i).at("top1"));
      sum += values.back(), rate += curve.at(i).at("spike_rate").get<double>();
    }
    const double n = double(values.size()), mean = sum / n;
    for (double value : values)
      squares += (value - mean) * (value - mean);
    list.push_back({{"timesteps", timesteps[i]}, {"mean", mean}, {"sd", n > 1 ? json(std::sqrt(squares / (n - 1))) : json()}, {"values", values}, {"spike_rate", rate / n}});
  }
  return list;
}

} // namespace

json claimFigures(const ClaimOptions &o, const json &results) {
  const json &conversion = results.at("converted");
  json figures = {{"data", o.data}, {"seeds", o.seeds}, {"train_timesteps", o.train}, {"train_each", o.trainEach}, {"baseline_init", o.baselineInit},
                  {"teacher", {{"top1", results.at("teacher").at("top1")}, {"images", results.at("teacher").at("images")}}},
                  {"plain", overSeeds(results.at("plain"), o.timesteps)}, {"lasnn", overSeeds(results.at("lasnn"), o.timesteps)},
                  {"converted", {{"images", conversion.at("images")}, {"ann_top1", conversion.at("ann_top1")}, {"over_time", conversion.at("over_time")},
                                 {"steps_run", conversion.at("steps_run")}, {"stopped", conversion.at("stopped")}, {"options", conversion.value("options", json())}}}};
  // The comparison is made on the images that the conversion saw, with LaSNN's mean over seeds.
  double target = 0;
  for (const json &one : results.at("target"))
    target += one.at("top1").get<double>() / double(results.at("target").size());
  const auto top1 = conversion.at("top1").get<std::vector<double>>();
  const auto found = std::find_if(top1.begin(), top1.end(), [&](double x) { return x >= target; });
  const bool reached = found != top1.end();
  const int64_t at = reached ? found - top1.begin() + 1 : int64_t(top1.size());
  figures["comparison"] = {{"timesteps", o.train}, {"target", target}, {"reached_at", reached ? at : 0}, {"ratio", double(at) / double(o.train)}, {"at_least", !reached}};
  return figures;
}

void runClaim(const ClaimOptions &o, bool asJson) {
  if (o.seeds.empty() || std::set<uint64_t>(o.seeds.begin(), o.seeds.end()).size() != o.seeds.size())
    throw std::invalid_argument("--seeds: give at least one, each once");
  if (!o.teacher.empty() && !fs::is_regular_file(o.teacher))
    throw std::runtime_error(fmt::format("{}: no such file; leave --teacher out to train one", o.teacher));
  ClaimOptions options = o;
  options.timesteps.push_back(o.train);
  std::sort(options.timesteps.begin(), options.timesteps.end());
  options.timesteps.erase(std::unique(options.timesteps.begin(), options.timesteps.end()), options.timesteps.end());
  Parts parts(o.program, o.out);
  Words common = {"--data=" + o.data};
  if (!o.preset.empty())
    common.push_back("--preset=" + o.preset);
  if (!o.arch.empty())
    common.push_back("--arch=" + o.arch);

  json results;
  std::string teacher = o.teacher;
  if (teacher.empty()) {
    Words words = {"teacher"};
    words.insert(words.end(), common.begin(), common.end());
    words.push_back(fmt::format("--seed={}", o.seeds.front()));
    append(words, o.teacherFlags);
    parts.train("teacher", words);
    teacher = parts.path("teacher.pt");
  }
  results["teacher"] = parts.measure("eval-teacher", {"eval", teacher, "--data=" + o.data}, teacher);

  auto student = [&](const std::string &name, uint64_t seed, int64_t T, bool distilled) {
    Words words = {"student"};
    words.insert(words.end(), common.begin(), common.end());
    words.push_back("--teacher=" + teacher);
    append(words, o.studentFlags);
    words.insert(words.end(), {fmt::format("--seed={}", seed), fmt::format("--timesteps={}", T)});
    if (!distilled)
      words.insert(words.end(), {"--no-distill", "--init=" + o.baselineInit});
    parts.train(name, words);
    return parts.path(name + ".pt");
  };
  /// Accuracy at each T, of one model or of one for each.
  auto measured = [&](const std::string &kind, uint64_t seed, bool distilled) {
    const std::string name = fmt::format("{}-{}", kind, seed);
    if (!o.trainEach) {
      const std::string model = student(name, seed, o.train, distilled);
      return parts.measure("eval-" + name, {"eval", model, "--data=" + o.data, fmt::format("--timesteps={}", fmt::join(options.timesteps, ","))}, model).at("over_time");
    }
    json curve = json::array();
    for (int64_t T : options.timesteps) {
      const std::string each = fmt::format("{}-t{}", name, T), model = student(each, seed, T, distilled);
      curve.push_back(parts.measure("eval-" + each, {"eval", model, "--data=" + o.data, fmt::format("--timesteps={}", T)}, model).at("over_time").at(0));
    }
    return curve;
  };
  for (uint64_t seed : o.seeds) {
    results["lasnn"].push_back(measured("lasnn", seed, true));
    const std::string model = parts.path(o.trainEach ? fmt::format("lasnn-{}-t{}.pt", seed, o.train) : fmt::format("lasnn-{}.pt", seed));
    results["target"].push_back(parts.measure(fmt::format("target-{}", seed), {"eval", model, "--data=" + o.data, fmt::format("--timesteps={}", o.train), fmt::format("--limit={}", o.convertLimit)}, model));
    results["plain"].push_back(measured("plain", seed, false));
  }
  Words words = {"convert", teacher, "--data=" + o.data, fmt::format("--limit={}", o.convertLimit)};
  append(words, o.convertFlags);
  results["converted"] = parts.measure("convert", words, teacher);

  json figures = claimFigures(options, results);
  for (const auto &[name, entry] : parts.state().items())
    figures["commands"].push_back({{"part", name}, {"command", fmt::format("lasnn-distill {}", fmt::join(entry.at("words").get<Words>(), " "))}, {"seconds", entry.value("seconds", 0.0)}});
  figures["made"] = fmt::format("{:%Y-%m-%d %H:%M}", fmt::localtime(std::time(nullptr)));
  auto write = [&](const char *name, const std::string &text) {
    writeAtomically(parts.path(name), [&](const std::string &temporary) {
      if (!(std::ofstream(temporary, std::ios::binary) << text))
        throw std::runtime_error(fmt::format("{}: cannot be written; check the folder and the space on its disk", parts.path(name)));
    });
  };
  write("claim.json", figures.dump(1) + "\n");
  write("claim.md", claimMarkdown(figures));
  write("claim.html", claimHtml(figures));
  fmt::print("{}\n", asJson ? figures.dump() : claimMarkdown(figures));
}

} // namespace lasnn::distill
