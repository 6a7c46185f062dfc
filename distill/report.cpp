#include "distill/report.h"
#include "distill/attention_pictures.h"
#include "distill/file.h"
#include "distill/html.h"
#include "distill/plot.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <fstream>
#include <set>

namespace lasnn::distill {
namespace {

using nlohmann::json;

json historyOf(const Model &model) {
  const json history = model.meta.value("history", json::array());
  return history.is_array() ? history : json::array();
}

/// One number an epoch; epochs without it leave a gap.
Series curve(const json &history, const std::string &key, const std::string &label, double scale = 1) {
  Series s{label, {}, false};
  for (size_t i = 0; i < history.size(); ++i)
    if (history[i].contains(key) && history[i][key].is_number())
      s.points.emplace_back(history[i].value("epoch", double(i + 1)), scale * history[i][key].get<double>());
  return s;
}

void keep(std::vector<Series> &list, Series series) {
  if (!series.points.empty())
    list.push_back(std::move(series));
}

std::string trainingCurves(const json &history) {
  if (history.empty())
    return "";
  const Axis epochs{"epoch", false, {}, {}, {}};
  std::string figures;
  std::vector<Series> accuracy, terms, rates, speed;
  keep(accuracy, curve(history, "train_top1", "training, as shown", 100));
  keep(accuracy, curve(history, "valid_top1", "validation", 100));
  keep(accuracy, curve(history, "test_top1", "test", 100));
  if (!accuracy.empty())
    figures += figureHtml("Accuracy", linePlot("top-1 accuracy over epochs", accuracy, epochs, {"top-1 in %", false, {}, {}, 100.0}), "Training images are augmented, so they are harder than test images.");

  std::set<std::string> names;
  for (const json &epoch : history)
    for (const auto &[key, value] : epoch.items())
      if (value.is_number())
        names.insert(key);
  for (const char *other : {"epoch", "lr", "train_top1", "valid_top1", "test_top1", "timesteps", "seconds", "images_per_s", "grad_norm", "spike_rate", "loss"})
    names.erase(other);
  keep(terms, curve(history, "loss", "sum"));
  for (const std::string &name : names)
    keep(terms, curve(history, name, name));
  if (!terms.empty())
    figures += figureHtml("Loss and its terms", linePlot("loss terms over epochs", terms, epochs, {"loss", false, 0.0, {}, {}}), "Terms before their weights; the sum is what was minimised.");

  std::set<std::string> layers;
  for (const json &epoch : history)
    if (epoch.contains("rates") && epoch["rates"].is_object())
      for (const auto &[layer, rate] : epoch["rates"].items())
        layers.insert(layer);
  for (const std::string &layer : layers) {
    Series s{layer, {}, false};
    for (size_t i = 0; i < history.size(); ++i)
      if (history[i].contains("rates") && history[i]["rates"].contains(layer))
        s.points.emplace_back(history[i].value("epoch", double(i + 1)), 100 * history[i]["rates"][layer].get<double>());
    keep(rates, s);
  }
  if (rates.size() > 8) { // as many as there are colours: the busiest at the end
    std::sort(rates.begin(), rates.end(), [](const Series &a, const Series &b) { return a.points.back().second > b.points.back().second; });
    rates.resize(8);
  }
  if (!rates.empty())
    figures += figureHtml("Firing rates", linePlot("firing rate of each layer over epochs", rates, epochs, {"% of neurons a step", false, 0.0, {}, {}}),
                          layers.size() > 8 ? "The eight busiest layers." : "Mean over a layer's neurons and steps.");
  keep(speed, curve(history, "lr", "learning rate"));
  if (!speed.empty())
    figures += figureHtml("Learning rate", linePlot("learning rate over epochs", speed, epochs, {"learning rate", false, 0.0, {}, {}}), "At the end of each epoch.");
  return "<h2>Training</h2><div class=\"pair\">" + figures + "</div>" ;
}

std::string epochTable(const json &history) {
  std::vector<std::vector<std::string>> rows;
  auto cell = [](const json &epoch, const char *key, auto format) { return epoch.contains(key) && epoch[key].is_number() ? format(epoch[key].get<double>()) : std::string("–"); };
  auto share = [](double x) { return percent(x); };
  for (size_t i = 0; i < history.size(); ++i)
    rows.push_back({wholeNumber(history[i].value("epoch", double(i + 1))), cell(history[i], "lr", [](double x) { return fmt::format("{:.3g}", x); }),
                    cell(history[i], "loss", [](double x) { return fmt::format("{:.4f}", x); }), cell(history[i], "train_top1", share), cell(history[i], "test_top1", share),
                    cell(history[i], "seconds", [](double x) { return fmt::format("{:.1f}\u202fs", x); }), cell(history[i], "images_per_s", wholeNumber)});
  if (rows.empty())
    return "";
  return "<details><summary>All epochs</summary>" +
         tableHtml({"epoch", "learning rate", "loss", "training top-1", "test top-1", "time", "images a second"}, rows, {0, 1, 2, 3, 4, 5, 6}) + "</details>";
}

/// `e` ran for at least as long as the model was trained for.
std::string overTime(const Evaluation &e, int64_t own) {
  if (e.steps.size() < 2)
    return "";
  Series accuracy{"top-1", {}, false}, five{"top-5", {}, false}, rate{"spike rate", {}, false};
  std::vector<std::vector<std::string>> rows;
  for (const StepAccuracy &s : e.steps) {
    accuracy.points.emplace_back(s.timesteps, 100 * s.top1), rate.points.emplace_back(s.timesteps, 100 * s.rate);
    five.points.emplace_back(s.timesteps, 100 * s.top5);
  }
  for (int64_t t : doublings(e.timesteps)) {
    const StepAccuracy &s = e.steps[size_t(t - 1)];
    rows.push_back({fmt::format("{}{}", t, t == own ? " (as trained)" : ""), percent(s.top1), percent(s.rate)});
    if (e.classes > 10)
      rows.back().push_back(percent(s.top5));
  }
  std::vector<std::string> heads = {"T", "top-1", "spike rate"};
  if (e.classes > 10)
    heads.push_back("top-5");
  std::vector<Series> curves = {accuracy};
  if (e.classes > 10)
    curves.push_back(five);
  const Axis steps{"time-steps T", true, 1.0, {}, {}};
  return "<h2>Accuracy over time</h2><p>The same weights, asked after T steps; the answer is the mean of the read-out so far. More steps cost more spikes.</p><div class=\"pair\">" +
         figureHtml("Accuracy", linePlot("accuracy after T time-steps", curves, steps, {"% right", false, {}, {}, 100.0}), fmt::format("Trained with T = {}.", own)) +
         figureHtml("Activity", linePlot("spike rate over the first T time-steps", {rate}, steps, {"% of neurons a step", false, 0.0, {}, {}}), "Mean over all neurons and the first T steps.") +
         "</div><div style=\"margin-top:20px\">" + tableHtml(heads, rows, {1, 2, 3}) + "</div>";
}

std::string activity(const Evaluation &e) {
  if (e.layers.empty())
    return "";
  double most = 0.01, largest = 0.01;
  for (const LayerRate &layer : e.layers) {
    most = std::max(most, layer.rate);
    for (float r : layer.each)
      largest = std::max(largest, double(r));
  }
  double high = 100 * largest; // one scale for all histograms
  for (double edge : {5.0, 10.0, 20.0, 50.0, 100.0})
    if (100 * largest <= edge) {
      high = edge;
      break;
    }
  std::vector<Bar> bars;
  std::vector<std::vector<std::string>> rows;
  std::string histograms;
  for (const LayerRate &layer : e.layers) {
    double silent = 0, always = 0;
    std::vector<float> values;
    for (float r : layer.each)
      silent += r == 0, always += r > 0.95f, values.push_back(100 * r);
    const double n = std::max<double>(1, double(layer.each.size()));
    bars.push_back({layer.name, percent(layer.rate), layer.rate});
    rows.push_back({"<code>" + escapeHtml(layer.name) + "</code>", wholeNumber(double(layer.neurons)), percent(layer.rate), percent(silent / n, 1), percent(always / n, 1)});
    if (!values.empty())
      histograms += figureHtml("<code>" + escapeHtml(layer.name) + "</code>", histogramPlot("neurons of " + layer.name + " by firing rate", values, high, "%"),
                               fmt::format("{} neurons, mean {}", wholeNumber(double(layer.neurons)), percent(layer.rate)));
  }
  return "<h2>Activity by layer</h2><p>Spikes are what the network costs. A neuron that never fires on any of these images is silent and can be removed; one that fires "
         "in nearly every step carries no information.</p><div class=\"pair\">" +
         figureHtml("Firing rate", barPlot("firing rate of each layer", bars, most), "Share of neurons that fire in a time-step.") + "<div class=\"card\">" +
         tableHtml({"layer", "neurons", "rate", "silent", "above 95\u202f%"}, rows, {1, 2, 3, 4}) +
         "</div></div><h3 style=\"margin-top:24px\">How the rates are spread</h3><p class=\"soft\">Neurons by their own firing rate over all images. Heights are square roots of counts.</p><div class=\"small\">" +
         histograms + "</div>";
}

std::string confusionSection(const Evaluation &e, const data::Dataset &set) {
  const std::vector<double> shares = e.perClass();
  std::string matrix;
  if (e.classes <= 20) {
    std::string head = "<th scope=\"col\">label</th>", body;
    for (int64_t k = 0; k < e.classes; ++k)
      head += fmt::format("<th scope=\"col\" title=\"{}\">{}</th>", escapeHtml(className(set, k)), escapeHtml(className(set, k)));
    for (int64_t label = 0; label < e.classes; ++label) {
      int64_t all = 0;
      for (int64_t answer = 0; answer < e.classes; ++answer)
        all += e.confused(label, answer);
      body += fmt::format("<tr><th scope=\"row\">{}</th>", escapeHtml(className(set, label)));
      for (int64_t answer = 0; answer < e.classes; ++answer) {
        const int64_t n = e.confused(label, answer);
        const double part = all ? double(n) / double(all) : 0;
        body += fmt::format("<td class=\"cell\" style=\"--paint:var({});--a:{:.0f}\">{}</td>", label == answer ? "--student" : "--spike",
                            n ? (label == answer ? 10 + 55 * part : 8 + 90 * std::sqrt(part)) : 0, n ? wholeNumber(double(n)) : "<span class=\"soft\">·</span>");
      }
      body += fmt::format("<td>{}</td></tr>", percent(shares[size_t(label)], 1));
    }
    matrix = fmt::format("<div class=\"card scroll\"><table class=\"matrix\"><caption class=\"soft\" style=\"text-align:left\">Rows: what it is. Columns: what the network says.</caption>"
                         "<thead><tr>{}<th scope=\"col\">right</th></tr></thead><tbody>{}</tbody></table></div>", head, body);
  } else {
    std::vector<std::pair<double, int64_t>> order;
    for (int64_t k = 0; k < e.classes; ++k)
      if (std::isfinite(shares[size_t(k)]))
        order.emplace_back(shares[size_t(k)], k);
    std::sort(order.begin(), order.end());
    std::vector<std::vector<std::string>> worst, best;
    for (size_t i = 0; i < std::min<size_t>(10, order.size()); ++i) {
      worst.push_back({escapeHtml(className(set, order[i].second)), percent(order[i].first, 1)});
      const auto &top = order[order.size() - 1 - i];
      best.push_back({escapeHtml(className(set, top.second)), percent(top.first, 1)});
    }
    matrix = "<div class=\"pair\"><div class=\"card\">" + tableHtml({"hardest classes", "right"}, worst, {1}) + "</div><div class=\"card\">" +
             tableHtml({"easiest classes", "right"}, best, {1}) + "</div></div>";
  }
  std::vector<std::pair<int64_t, std::pair<int64_t, int64_t>>> pairs;
  for (int64_t label = 0; label < e.classes; ++label)
    for (int64_t answer = 0; answer < e.classes; ++answer)
      if (label != answer && e.confused(label, answer))
        pairs.push_back({e.confused(label, answer), {label, answer}});
  const size_t shown = std::min<size_t>(8, pairs.size());
  std::partial_sort(pairs.begin(), pairs.begin() + int64_t(shown), pairs.end(), [](const auto &a, const auto &b) { return a.first != b.first ? a.first > b.first : a.second < b.second; });
  std::vector<std::vector<std::string>> rows;
  for (size_t i = 0; i < shown; ++i)
    rows.push_back({escapeHtml(className(set, pairs[i].second.first)), escapeHtml(className(set, pairs[i].second.second)), wholeNumber(double(pairs[i].first))});
  const std::string often = rows.empty() ? "" : "<details><summary>The commonest mistakes</summary>" + tableHtml({"label", "answer", "images"}, rows, {2}) + "</details>";
  return "<h2>What it confuses</h2>" + matrix + often;
}

/// {"a": {"b": 1}} -> rows "a.b", "1".
void flatten(const json &value, const std::string &name, std::vector<std::vector<std::string>> &rows) {
  if (value.is_object()) {
    for (const auto &[key, inner] : value.items())
      flatten(inner, name.empty() ? key : name + "." + key, rows);
    return;
  }
  rows.push_back({"<code>" + escapeHtml(name) + "</code>", "<span style=\"white-space:normal;overflow-wrap:anywhere\">" + escapeHtml(value.is_string() ? value.get<std::string>() : value.dump()) + "</span>"});
}

int64_t parameterCount(const Network &network) {
  int64_t count = 0;
  for (const torch::Tensor &p : network.parameters())
    count += p.numel();
  return count;
}

std::string provenance(const Model &model, const data::Dataset &set, const ReportSource &source, size_t images) {
  std::vector<std::vector<std::string>> options, facts;
  flatten(model.meta.value("training", json::object()), "", options);
  json about = {{"model", source.model}, {"data", source.data}, {"set", set.name}, {"test images", images}, {"architecture", model.network->arch.name},
                {"parameters", parameterCount(*model.network)}, {"page made", timeNow()}};
  if (!source.teacher.empty())
    about["teacher"] = source.teacher;
  if (model.network->neuron)
    about["neuron"] = neuronToJson(*model.network->neuron);
  for (const char *key : {"teacher", "source", "machine", "command"}) // where the model says so itself
    if (model.meta.contains(key))
      flatten(model.meta[key], std::string("recorded ") + key, facts);
  flatten(about, "", facts);
  return "<h2>Where it comes from</h2><div class=\"pair\"><div>" + tableHtml({"fact", ""}, facts) + "</div><div>" + tableHtml({"option", "value"}, options) + "</div></div>";
}

} // namespace

std::string timeNow() {
  const std::time_t now = std::time(nullptr);
  return fmt::format("{:%Y-%m-%d %H:%M}", fmt::localtime(now));
}

void writeReport(const Model &model, Teacher *teacher, const data::Dataset &set, const ReportSource &source, int threads, const std::string &path) {
  const int64_t own = model.timesteps();
  const Evaluation e = evaluate(model, set, threads, 0, {}, 0, true);
  const Evaluation longer = model.student() && !set.events && source.timesteps > own ? evaluate(model, set, threads, 0, {}, source.timesteps) : e;
  const json history = historyOf(model);
  const double error = std::sqrt(e.top1 * (1 - e.top1) / double(e.images));

  std::vector<Tile> tiles = {{percent(e.top1), fmt::format("top-1 on {} test images (standard error {:.2f} points)", wholeNumber(double(e.images)), 100 * error)}};
  if (e.classes > 10)
    tiles.push_back({percent(e.top5), "top-5"});
  if (model.student()) {
    tiles.push_back({fmt::format("T = {}", own), "time-steps it was trained with"});
    tiles.push_back({percent(e.meanRate, 1), "of neurons fire in a time-step"});
  }
  const double parameters = double(parameterCount(*model.network));
  tiles.push_back({parameters >= 1e6 ? fmt::format("{:.2f} M", parameters / 1e6) : wholeNumber(parameters), "trained parameters"});
  double seconds = 0;
  for (const json &epoch : history)
    seconds += epoch.value("seconds", 0.0);
  if (seconds > 0)
    tiles.push_back({seconds < 120 ? fmt::format("{:.0f}\u202fs", seconds) : fmt::format("{:.0f}\u202fmin", seconds / 60), fmt::format("training, {} epochs", history.size())});

  const std::string kind = model.student() ? "Student" : "Teacher", title = fmt::format("{} {} on {}", kind, model.network->arch.name, set.name);
  const auto trained = model.meta.value("training", json::object()).value("student", json::object());
  const std::string lead = !model.student() ? "An ordinary network with ReLU, trained on labels."
                           : trained.value("distill", true) ? "A spiking network, trained on labels and distilled layer by layer from a teacher."
                                                            : "A spiking network, trained on labels alone.";
  const std::string cards = attentionCards(model, teacher, set, 6);
  const std::string looks = cards.empty() ? "" : fmt::format(
      "<h2>Where it looks</h2><p>Attention maps over test images: the mean over channels of {}, normalised as in training; each is drawn from its least to its greatest value. {}</p>",
      teacher ? "the teacher's features and of the student's firing rates" : model.student() ? "the firing rates" : "the features",
      "The last ones are answered wrongly, where there are mistakes.") + cards;
  const std::string body = fmt::format("<h1>{}</h1>\n<p class=\"lead\">{}</p>\n{}", escapeHtml(title), lead, tilesHtml(tiles)) + trainingCurves(history) + epochTable(history) +
                           overTime(longer, own) + activity(e) + confusionSection(e, set) + looks + provenance(model, set, source, e.images) +
                           "<footer>Made by <code>lasnn-distill report</code>. This file needs no network and holds no reference to one.</footer>";
  writeAtomically(path, [&](const std::string &temporary) {
    std::ofstream file(temporary, std::ios::binary);
    if (!(file << pageHtml(title, body)))
      throw std::runtime_error(path + ": cannot be written; check the folder and the space on its disk");
  });
}

} // namespace lasnn::distill
