// The reports: their forms agree on the numbers, JSON keeps to its schema, the page fetches nothing, a network that does not fit has one too.
// LASNN_REPORT_DIR keeps the files, to be looked at.
#include "backends/loihi/map/map.h"
#include "backends/loihi/report/collect.h"
#include "backends/loihi/report/files.h"
#include "backends/loihi/report/json.h"
#include "backends/loihi/report/text.h"
#include "backends/loihi/report/words.h"
#include "backends/loihi/sim/simulator.h"
#include "tests/backends/loihi/report_network.h"
#include "tests/backends/loihi/report_sample.h"
#include "tests/backends/loihi/schema.h"
#include "tests/backends/loihi/small_mapping.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

namespace lasnn::loihi::report {
namespace {

using Json = nlohmann::ordered_json;

std::string read(const std::string &path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

std::string contentOf(const std::vector<File> &files, const std::string &name) {
  for (const File &file : files)
    if (file.name == name) return file.content;
  ADD_FAILURE() << name << " is missing";
  return "";
}

void keep(const std::vector<File> &files, const std::string &folder) {
  const char *dir = std::getenv("LASNN_REPORT_DIR");
  if (!dir) return;
  std::filesystem::create_directories(std::string(dir) + "/" + folder);
  for (const File &file : files) std::ofstream(std::string(dir) + "/" + folder + "/" + file.name) << file.content;
}

size_t linesOf(const std::string &text) { return size_t(std::count(text.begin(), text.end(), '\n')); }

/// The page's text: tags gone, the few characters that HTML writes otherwise put back.
std::string textOf(std::string html) {
  html = html.substr(0, html.find("<script"));
  html = std::regex_replace(html, std::regex("<[^>]*>"), " ");
  for (const auto &[from, to] : {std::pair<const char *, const char *>{"&lt;", "<"}, {"&gt;", ">"}, {"&quot;", "\""}, {"&amp;", "&"}, {"\u202f", " "}}) html = std::regex_replace(html, std::regex(from), to);
  return html;
}

void expectWhole(const Data &data, const std::vector<File> &files) {
  const Json schema = Json::parse(read(LASNN_SOURCE_DIR "/docs/loihi-report.schema.json"));
  const Json json = Json::parse(contentOf(files, "report.json"));
  for (const std::string &error : schemaErrors(schema, json)) ADD_FAILURE() << error;

  const std::string html = contentOf(files, "report.html"), text = contentOf(files, "report.txt"), page = textOf(html);
  // Nothing is fetched: no source, style sheet, import or address in what the browser would follow
  const std::string own = html.substr(0, html.find("// https://d3js.org"));
  EXPECT_FALSE(std::regex_search(own, std::regex("(src|href|action|data)\\s*=\\s*[\"']?(https?:|//|file:)|@import|url\\(\\s*[\"']?(https?:|//)")));
  EXPECT_FALSE(std::regex_search(html.substr(html.rfind("<script>")), std::regex("fetch\\(|XMLHttpRequest|import\\s*\\(|https?://")));
  EXPECT_NE(html.find("d3js.org"), std::string::npos) << "the page has no D3: is node-d3 installed?";

  // The same numbers in all forms
  const Summary &s = data.summary;
  for (const std::string &number : {whole(double(s.neurons)), whole(double(s.synapses)), whole(double(s.synapse_words)), energyText(s.energy_per_inference_pj), timeText(s.time_per_inference_ns),
                                    shortNumber(s.packets_per_step), shortNumber(s.hops_mean), data.header.verdict}) {
    EXPECT_NE(text.find(number), std::string::npos) << number;
    EXPECT_NE(page.find(number), std::string::npos) << number;
  }
  for (const Layer &layer : data.layers)
    for (const std::string &number : {whole(double(layer.synapse_words)), shortNumber(layer.packets_per_step), energyText(layer.energy.synapse), layer.encoding})
      EXPECT_TRUE(text.find(number) != std::string::npos && page.find(number) != std::string::npos) << layer.name << ": " << number;
  EXPECT_EQ(json["summary"]["cores"], s.cores);
  EXPECT_EQ(json["header"]["verdict"], data.header.verdict);
  // The page's pictures are drawn from this very JSON
  const size_t at = html.find("id=\"numbers\">");
  ASSERT_NE(at, std::string::npos);
  EXPECT_EQ(Json::parse(html.substr(at + 13, html.find("</script>", at) - at - 13)), json);
  EXPECT_EQ(linesOf(contentOf(files, "cores.csv")), data.cores.size() + 1);
  EXPECT_EQ(linesOf(contentOf(files, "links.csv")), data.network.links.size() + 1);
  uint64_t neurons = 0;
  for (const Json &core : json["cores"]) neurons += core["neurons"].get<uint64_t>();
  if (!data.cores.empty()) {
    EXPECT_EQ(json["cores"].size(), s.cores);
    EXPECT_GT(neurons, 0u);
  }
}

TEST(LoihiReport, AMadeUpOneIsWhole) {
  for (const SampleOptions &options : {SampleOptions{}, SampleOptions{3, false, false}}) {
    const Data data = sampleReport(options);
    const std::vector<File> files = reportFiles(data);
    expectWhole(data, files);
    keep(files, options.fits ? "sample" : "sample-too-large");
  }
}

TEST(LoihiReport, UnknownNumbersStayUnknown) {
  const Data data = sampleReport({1, false, true});
  const Json json = toJson(data);
  EXPECT_TRUE(json["summary"]["energy_per_inference_pj"].is_null());
  EXPECT_TRUE(json["layers"][0]["energy_pj"]["total"].is_null());
  EXPECT_NE(toText(data).find("energy                 unknown an inference"), std::string::npos);
  EXPECT_EQ(linesOf(toBriefText(data)), 2u);
}

TEST(LoihiReport, OfASmallMapping) {
  const Chip chip = tinyChip();
  const lmap::Mapping mapping = smallMapping(chip);
  const Data data = collect(mapping, chip, check::check(mapping, chip));
  expectWhole(data, reportFiles(data));
  EXPECT_TRUE(data.header.fits) << data.header.verdict;
  EXPECT_EQ(data.summary.cores, 3u);
  EXPECT_EQ(data.summary.chips, 2u);
  EXPECT_EQ(data.summary.synapses, 32u + 36u);
  // 8 hidden neurons at the assumed rate of 0.25, each to one core of the other chip; the host sends each of 4 inputs to 3 cores
  EXPECT_EQ(data.summary.packets_per_step, 2.0);
  EXPECT_EQ(data.summary.interchip_per_step, 2.0);
  EXPECT_EQ(data.network.traffic, (std::vector<std::vector<double>>{{0, 2}, {0, 0}, {8, 4}}));
  EXPECT_EQ(data.cores[2].packets_in_per_step, 6.0);
  EXPECT_EQ(data.layers[0].encoding, "SPARSE + DENSE");
}

TEST(LoihiReport, OfAMappedAndSimulatedNetwork) {
  const Chip chip = *loadChip("loihi1").chip;
  MapOptions options;
  options.effort = 1, options.threads = 2;
  const MapResult mapped = mapNetwork(classifier(16), chip, options, {});
  ASSERT_TRUE(mapped.mapping) << (mapped.errors.empty() ? "" : mapped.errors[0]);
  ASSERT_TRUE(mapped.errors.empty()) << mapped.errors[0];
  const check::Result checked = check::check(*mapped.mapping, chip);
  ASSERT_TRUE(checked.ok()) << checked.text();
  std::vector<std::string> errors;
  Simulator simulator(makeProgram(*mapped.mapping, errors), {});
  std::vector<int32_t> outputs;
  for (uint8_t sample = 0; sample < 3; ++sample) {
    std::vector<uint8_t> image(3 * 32 * 32);
    for (size_t i = 0; i < image.size(); ++i) image[i] = uint8_t(i * (7 + sample) % 251);
    simulator.run(image.data(), outputs);
  }
  CollectOptions collected;
  for (const PassTime &pass : mapped.times) collected.passes_ms.emplace_back(pass.pass, pass.ms);
  collected.simulated.statistics = &simulator.statistics(), collected.simulated.links = simulator.links();
  const Data data = collect(*mapped.mapping, chip, checked, collected);
  const std::vector<File> files = reportFiles(data);
  expectWhole(data, files);
  keep(files, "simulated");

  // Against the simulator's own sums
  const Counts all = simulator.statistics().total();
  const double steps = 3.0 * 8;
  double messages = 0, links = 0, hops = 0, synops = 0, energy = 0, traffic = 0;
  for (const Core &core : data.cores) messages += *core.packets_out_per_step;
  for (const Layer &layer : data.layers) synops += layer.synops_per_step.value_or(0), energy += layer.energy.total().value_or(0);
  for (const Link &link : data.network.links) links += link.messages_per_step;
  for (auto [distance, each] : data.network.hops) hops += each;
  for (size_t from = 0; from < data.layers.size(); ++from)
    for (double each : data.network.traffic[from]) traffic += each;
  EXPECT_GT(all.messages_out, 0u);
  EXPECT_NEAR(messages, double(all.messages_out) / steps, 1e-9 * messages);
  EXPECT_NEAR(hops, messages, 1e-9 * messages);
  EXPECT_NEAR(traffic, messages, 1e-9 * messages);
  EXPECT_NEAR(links, double(all.hops() + all.hops_chip) / steps, 1e-9 * links + 1e-9);
  EXPECT_NEAR(synops, double(all.synapticOperations()) / steps, 1e-9 * synops);
  const EnergyReport report = energyReport(chip, chip.profiles.size() - 1, uint32_t(data.summary.chips), simulator.statistics());
  EXPECT_NEAR(energy * 3, report.total.total_pj(), 1e-6 * energy * 3);
  EXPECT_NEAR(*data.summary.energy_per_inference_pj * 3, report.total.total_pj() + report.static_pj, 1e-6 * energy);
  EXPECT_EQ(data.time.profiles.size(), 2u);
}

TEST(LoihiReport, OfANetworkThatDoesNotFit) {
  Chip chip = *loadChip("loihi1").chip;
  chip.mesh.chips = 1, chip.mesh.cores_per_chip = 4;
  MapOptions options;
  options.effort = 1, options.threads = 2, options.baselines = false;
  const MapResult mapped = mapNetwork(classifier(16), chip, options, {});
  EXPECT_FALSE(mapped.errors.empty());
  ASSERT_TRUE(mapped.mapping);
  const Data data = collect(*mapped.mapping, chip, check::check(*mapped.mapping, chip));
  EXPECT_FALSE(data.header.fits);
  ASSERT_FALSE(data.violations.empty());
  EXPECT_EQ(data.violations[0].code, "chips");
  EXPECT_GT(data.violations[0].needed, 1u);
  EXPECT_EQ(data.violations[0].allowed, 1u);
  const std::vector<File> files = reportFiles(data);
  expectWhole(data, files);
  keep(files, "too-large");
  EXPECT_NE(textOf(contentOf(files, "report.html")).find("Does not fit."), std::string::npos);
}

TEST(LoihiReport, OfALayerThatNoCoreHolds) {
  const Chip chip = *loadChip("loihi1").chip;
  const MapResult mapped = mapNetwork(classifier(160), chip, {}, {}); // its head has 20480 inputs, of a word at least; a core has 16384
  ASSERT_FALSE(mapped.mapping);
  const Data data = refusal("classifier", chip, mapped.errors);
  expectWhole(data, reportFiles(data));
  ASSERT_EQ(data.violations.size(), 1u);
  EXPECT_EQ(data.violations[0].place, "layer 'head'");
  EXPECT_NE(data.violations[0].text.find("synapse_words"), std::string::npos) << data.violations[0].text;
  EXPECT_NE(data.violations[0].text.find("allowed 16384"), std::string::npos) << data.violations[0].text;
  EXPECT_NE(data.violations[0].cure.find("fewer input channels"), std::string::npos) << data.violations[0].cure;
}

TEST(LoihiReport, OfARefusedNetwork) {
  const Chip chip = *loadChip("loihi1").chip;
  const Data data = refusal("net", chip, {"layer 'pool1': a maximum pool of currents; train with average pools"});
  expectWhole(data, reportFiles(data));
  EXPECT_EQ(data.violations[0].place, "layer 'pool1'");
  EXPECT_EQ(data.violations[0].cure, "train with average pools");
}

} // namespace
} // namespace lasnn::loihi::report
