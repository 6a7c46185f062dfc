// Chip files: the built-in ones hold the published numbers; a missing or absurd value is refused with its key and what is allowed.
#include "backends/loihi/chip.h"
#include "backends/loihi/chip_fields.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace lasnn::loihi {
namespace {

std::string builtinText(const std::string &name) { return loadChip(name).chip->text; }

std::string all(const std::vector<std::string> &lines) {
  std::string text;
  for (const std::string &line : lines) text += line + "\n";
  return text;
}

std::string replaced(std::string text, const std::string &from, const std::string &to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << "the chip file holds no '" << from << "'";
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

TEST(Chip, EveryBuiltinChipIsValid) {
  EXPECT_EQ(builtinChips(), (std::vector<std::string>{"loihi1", "loihi2", "tiny"}));
  for (const std::string &name : builtinChips()) {
    const ChipResult result = loadChip(name);
    EXPECT_EQ(all(result.errors), "");
    ASSERT_TRUE(result.chip);
    EXPECT_EQ(result.chip->name, name);
  }
}

TEST(Chip, LoihiHoldsThePublishedNumbers) {
  const Chip chip = *loadChip("loihi1").chip;
  EXPECT_EQ(chip.mesh.cores_per_chip, 128u);
  EXPECT_EQ(chip.mesh.tiles(), 32u);
  EXPECT_EQ(chip.limits.compartments, 1024u);
  EXPECT_EQ(chip.limits.synapse_words * 64, 1048576u);
  EXPECT_EQ(chip.limits.input_axons, 4096u);
  EXPECT_EQ(chip.limits.output_entries, 4096u);
  const Profile *davies = chip.profile("davies2018"), *nahuku = chip.profile("nahuku");
  ASSERT_TRUE(davies && nahuku);
  EXPECT_EQ(davies->neuron_access.energy_pj.value.value() + davies->neuron_update.energy_pj.value.value(), 81);
  EXPECT_EQ(nahuku->message_out.energy_pj.value, 111);
  EXPECT_FALSE(davies->message_out.energy_pj.known()) << "Davies 2018 does not publish it";
  EXPECT_FALSE(nahuku->barrier_energy_pj.known());
  EXPECT_EQ(nahuku->barrierNs(1), 600);
  EXPECT_EQ(nahuku->barrierNs(3), 1400);
  EXPECT_EQ(nahuku->barrierNs(32), 1800);
}

TEST(Chip, UnknownStaysUnknown) {
  const Chip chip = *loadChip("loihi2").chip;
  EXPECT_TRUE(chip.profiles.empty());
  EXPECT_FALSE(chip.limits.input_axons.known());
  EXPECT_TRUE(chip.limits.input_axons.allows(1 << 30));
  EXPECT_FALSE(chip.facts.at("core_area").known());
}

/// Takes each key out of a chip file in turn: the error names it and says what is allowed.
TEST(Chip, EveryMissingKeyIsNamed) {
  Chip chip;
  size_t seen = 0;
  for (const Field &field : chipFields(chip)) {
    const size_t dot = field.key.find('.');
    if (dot == std::string::npos) continue;
    const std::string text = builtinText("tiny"), group = "\n" + field.key.substr(0, dot) + ":", key = "\n  " + field.key.substr(dot + 1) + ":";
    const size_t line = text.find(key, text.find(group)) + 1;
    ASSERT_NE(line, std::string::npos + 1) << field.key;
    const ChipResult result = parseChip(text.substr(0, line) + text.substr(text.find('\n', line) + 1), "some.yaml");
    EXPECT_FALSE(result.chip);
    ASSERT_EQ(result.errors.size(), 1u) << field.key << "\n" << all(result.errors);
    EXPECT_NE(result.errors[0].find("some.yaml: key '" + field.key + "': is missing; it needs {value: " + field.allowed()), std::string::npos) << result.errors[0];
    ++seen;
  }
  EXPECT_GT(seen, 45u);
}

TEST(Chip, AbsurdValuesAreRefused) {
  const struct { const char *from, *to, *error; } cases[] = {
      {"compartments: {value: 48", "compartments: {value: 0", "key 'limits.compartments': is '0', allowed: 1..1048576 or unknown, whole"},
      {"compartments: {value: 48", "compartments: {value: -5", "is '-5'"},
      {"compartments: {value: 48", "compartments: {value: 48.5", "is '48.5'"},
      {"compartments: {value: 48", "compartments: {value: many", "is 'many'"},
      {"compartments: {value: 48", "compartments: {value: .nan", "is '.nan'"},
      {"value: 48, unit: compartments", "value: 48, unit: neurons", "has the unit 'neurons', allowed: 'compartments'"},
      {"value: 48, unit: compartments, source: made up", "value: 48, unit: compartments", "names no source"},
      {"width: {value: 2, unit: tiles", "width: {value: unknown, unit: tiles", "is unknown, but the tools compute with it"},
      {"cores_per_chip: {value: 8", "cores_per_chip: {value: 9", "is 9, but the mesh has places for 8"},
      {"value: [2, 3, 4, 5]", "value: [2, 4, 3]", "an ascending list of 0..16"},
      {"reset_to_value: {value: no", "reset_to_value: {value: 7", "is '7', allowed: yes or no"},
      {"\nlimits:", "\nlimits:\n  neurons: 5", "key 'limits.neurons': is not a key; known here: "},
      {"{1: 113, 4: 465}", "{0: 113}", "holds '0: 113'"},
      {"energy: {value: 111.0", "energy: {value: -111.0", "key 'profiles.nahuku.message_out.energy': is '-111.0', allowed: 0..1000000 or unknown"},
      {"name: tiny", "nam: tiny", "key 'name': is missing"},
      {"mesh:", "mesh: {", "no YAML"},
  };
  for (const auto &[from, to, error] : cases) {
    const ChipResult result = parseChip(replaced(builtinText("tiny"), from, to), "bad.yaml");
    EXPECT_FALSE(result.chip) << to;
    EXPECT_NE(all(result.errors).find(error), std::string::npos) << to << "\n" << all(result.errors);
  }
}

TEST(Chip, AllErrorsOfAFileAreReported) {
  std::string text = replaced(builtinText("tiny"), "value: 48, unit: compartments", "value: 0, unit: compartments");
  text = replaced(text, "width: {value: 2", "width: {value: 0");
  EXPECT_EQ(parseChip(text, "bad.yaml").errors.size(), 2u);
}

TEST(Chip, WhatIsNoFileOrNoMapIsSaid) {
  EXPECT_NE(all(loadChip("loihi3").errors).find("is no built-in chip (loihi1, loihi2, tiny)"), std::string::npos);
  EXPECT_NE(all(parseChip("5", "x").errors).find("is no map"), std::string::npos);
  EXPECT_NE(all(parseChip("", "x").errors).find("is no map"), std::string::npos);
}

/// The page's tables come from the fields: set LASNN_WRITE_DOCS=1 to rewrite them.
TEST(Chip, ThePageNamesEveryKey) {
  std::ifstream in(LASNN_SOURCE_DIR "/docs/loihi-targets.md");
  ASSERT_TRUE(in) << "docs/loihi-targets.md";
  std::stringstream page;
  page << in.rdbuf();
  Chip chip;
  Profile profile;
  std::vector<Field> fields = chipFields(chip);
  for (Field &field : profileFields(profile)) fields.push_back(field);
  for (const Field &field : fields) {
    const std::string row = "| `" + field.key + "` | " + (field.unit.empty() ? "yes/no" : field.unit) + " | " + field.allowed() + " | " + field.meaning + " |";
    EXPECT_NE(page.str().find(row), std::string::npos) << "the page lacks the row\n" << row;
  }
}

} // namespace
} // namespace lasnn::loihi
