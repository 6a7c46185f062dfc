// Sweeps and differences: which points are best, and what is said about two mappings.
#include "backends/loihi/report/collect.h"
#include "backends/loihi/report/diff.h"
#include "backends/loihi/report/sweep.h"
#include "tests/backends/loihi/report_sample.h"
#include "tests/backends/loihi/small_mapping.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

namespace lasnn::loihi::report {
namespace {

SweepPoint point(const char *objective, double cores, Maybe energy, Maybe accuracy, bool fits = true) {
  SweepPoint p;
  p.target = "loihi1", p.weights = "int8", p.objective = objective, p.fits = fits, p.verdict = fits ? "fits" : "chips, \"too\" many";
  p.cores = cores, p.energy_pj = energy, p.accuracy_percent = accuracy, p.packets_per_step = 100 * cores;
  return p;
}

TEST(LoihiSweep, MarksWhatNothingBeats) {
  Sweep sweep{"net.onnx", "test", "fashion test, first 10", {point("a", 10, 5e6, 80.0), point("b", 12, 4e6, 80.0), point("c", 12, 5e6, 80.0), point("d", 30, 9e6, 85.0), point("e", 1, 1.0, 99.0, false),
                                                             point("f", 11, {}, {})}};
  markBest(sweep);
  std::string best;
  for (const SweepPoint &p : sweep.points) best += p.best ? p.objective : "";
  EXPECT_EQ(best, "abd"); // c is beaten by b, e does not fit, f knows less than a
  const nlohmann::ordered_json json = toJson(sweep);
  EXPECT_EQ(json["points"].size(), 6u);
  EXPECT_TRUE(json["points"][5]["energy_pj"].is_null());
  const std::string csv = toCsv(sweep);
  EXPECT_NE(csv.find("loihi1,int8,e,0,0,1,"), std::string::npos) << csv;
  EXPECT_NE(csv.find("\"chips, \"\"too\"\" many\""), std::string::npos) << csv;
  const std::string html = toHtml(sweep), text = toText(sweep);
  EXPECT_NE(html.find("5 of 6 points fit; 3 are beaten by no other"), std::string::npos);
  EXPECT_NE(text.find("does not fit"), std::string::npos);
  if (const char *dir = std::getenv("LASNN_REPORT_DIR")) std::ofstream(std::string(dir) + "/sweep.html") << html;
}

TEST(LoihiDiff, SaysWhatChanged) {
  const Chip chip = tinyChip();
  lmap::Mapping mapping = smallMapping(chip);
  mapping.set_hash("one");
  const Data a = collect(mapping, chip, check::check(mapping, chip));
  EXPECT_TRUE(difference(a, a).same);
  mapping.set_hash("two");
  mapping.mutable_header()->set_options("--target=tiny --seed=2");
  mapping.mutable_layers(0)->set_name("first");
  mapping.mutable_cores(1)->mutable_formats()->Add()->set_weight_bits(8);
  mapping.mutable_cores(1)->mutable_used()->set_synapse_formats(2);
  const Data b = collect(mapping, chip, check::check(mapping, chip));
  const Difference d = difference(a, b);
  EXPECT_FALSE(d.same);
  ASSERT_EQ(d.facts.size(), 1u);
  EXPECT_EQ(d.facts[0].first, "options");
  ASSERT_EQ(d.layers.size(), 3u); // hidden (gone), out, first (new)
  EXPECT_TRUE(d.layers[0].changes[0].a && !d.layers[0].changes[0].b);
  EXPECT_TRUE(!d.layers[2].changes[0].a && d.layers[2].changes[0].b);
  const std::string text = toText(d, "a.lmap", "b.lmap");
  EXPECT_NE(text.find("2 -> -"), std::string::npos) << text;
  EXPECT_EQ(toJson(d)["layers"][1]["changes"][0]["change_percent"], 0.0);
  EXPECT_NE(toText(difference(sampleReport(), sampleReport({1, true, false})), "a", "b").find("points"), std::string::npos);
}

} // namespace
} // namespace lasnn::loihi::report
