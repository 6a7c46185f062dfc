#include "backends/loihi/chip.h"
#include "backends/loihi/chip_fields.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <set>
#include <sstream>

namespace lasnn::loihi {

namespace {

const struct { const char *name, *text; } kBuiltin[] = {
#include "loihi_targets.inc"
};

/// Reads one file and collects every error that does not hide others.
class Reader {
public:
  Reader(std::string file, std::vector<std::string> &errors) : file_(std::move(file)), errors_(errors) {}

  void error(const std::string &key, const std::string &what) { errors_.push_back(file_ + ": key '" + key + "': " + what); }

  /// The node at a dotted key; undefined where there is none.
  static YAML::Node at(const YAML::Node &from, const std::string &key) {
    YAML::Node node;
    node.reset(from);
    std::stringstream parts(key);
    for (std::string part; std::getline(parts, part, '.');) {
      if (!node.IsMap() || !node[part].IsDefined()) return YAML::Node(YAML::NodeType::Undefined);
      node.reset(node[part]);
    }
    return node;
  }

  void read(const YAML::Node &from, const std::string &prefix, const Field &field) {
    const std::string key = prefix + field.key;
    const YAML::Node node = at(from, field.key);
    if (!node.IsDefined())
      return error(key, "is missing; it needs {value: " + field.allowed() + ", unit: " + (field.unit.empty() ? "none" : field.unit) +
                            ", source: ...}");
    if (!node.IsMap()) return error(key, "has to be {value: ..., unit: ..., source: ...}");
    known(node, key, {"value", "unit", "source"});
    const YAML::Node value = node["value"];
    if (!value.IsDefined()) return error(key, "has no value; allowed: " + field.allowed());
    const std::string unit = node["unit"].IsDefined() && node["unit"].IsScalar() ? node["unit"].Scalar() : "";
    if (!field.unit.empty() && unit != field.unit) return error(key, "has the unit '" + unit + "', allowed: '" + field.unit + "'");
    const std::string source = node["source"].IsDefined() && node["source"].IsScalar() ? node["source"].Scalar() : "";
    if (source.empty()) return error(key, "names no source; where is the number from?");
    if (value.IsScalar() && value.Scalar() == "unknown") {
      if (!field.mayBeUnknown()) return error(key, "is unknown, but the tools compute with it; allowed: " + field.allowed());
      if (auto *limit = std::get_if<Limit *>(&field.to)) **limit = {Limit::kUnknown, unit, source};
      if (auto *quantity = std::get_if<Quantity *>(&field.to)) **quantity = {std::nullopt, unit, source};
      return;
    }
    if (auto *flag = std::get_if<bool *>(&field.to)) {
      if (!value.IsScalar() || (value.Scalar() != "yes" && value.Scalar() != "no")) return error(key, "is '" + plain(value) + "', allowed: yes or no");
      **flag = value.Scalar() == "yes";
      return;
    }
    if (auto *list = std::get_if<std::vector<uint32_t> *>(&field.to)) {
      if (!value.IsSequence() || value.size() == 0) return error(key, "is '" + plain(value) + "', allowed: " + field.allowed());
      (*list)->clear();
      for (const YAML::Node &each : value) {
        const std::optional<double> number = toNumber(each);
        if (!number || !inside(*number, field, true) || (!(*list)->empty() && *number <= (*list)->back()))
          return error(key, "holds '" + plain(each) + "', allowed: " + field.allowed());
        (*list)->push_back(uint32_t(*number));
      }
      return;
    }
    const bool whole = !std::holds_alternative<Quantity *>(field.to);
    const std::optional<double> number = toNumber(value);
    if (!number || !inside(*number, field, whole)) return error(key, "is '" + plain(value) + "', allowed: " + field.allowed() + (whole ? ", whole" : ""));
    if (auto *limit = std::get_if<Limit *>(&field.to)) **limit = {uint64_t(*number), unit, source};
    if (auto *quantity = std::get_if<Quantity *>(&field.to)) **quantity = {*number, unit, source};
    if (auto *u = std::get_if<uint32_t *>(&field.to)) **u = uint32_t(*number);
    if (auto *i = std::get_if<int32_t *>(&field.to)) **i = int32_t(*number);
  }

  /// Keys that nobody reads are typing errors.
  void known(const YAML::Node &map, const std::string &path, const std::set<std::string> &keys) {
    if (!map.IsMap()) return;
    for (const auto &entry : map) {
      const std::string key = plain(entry.first);
      if (keys.count(key)) continue;
      std::string list;
      for (const std::string &each : keys) list += (list.empty() ? "" : ", ") + each;
      error(path.empty() ? key : path + "." + key, "is not a key; known here: " + list);
    }
  }

  void barrier(const YAML::Node &from, const std::string &key, Profile &profile) {
    const YAML::Node node = at(from, "barrier");
    if (!node.IsDefined() || !node.IsMap()) return error(key, "is missing; it needs {value: {TILES: NS, ...} or unknown, unit: ns, source: ...}");
    known(node, key, {"value", "unit", "source"});
    if (!node["unit"].IsDefined() || plain(node["unit"]) != "ns") return error(key, "has no unit ns");
    if (!node["source"].IsDefined() || plain(node["source"]).empty()) return error(key, "names no source; where is the number from?");
    profile.barrier_source = plain(node["source"]);
    const YAML::Node value = node["value"];
    if (value.IsDefined() && value.IsScalar() && value.Scalar() == "unknown") return;
    if (!value.IsDefined() || !value.IsMap() || value.size() == 0) return error(key, "needs the value {TILES: NS, ...} or unknown");
    for (const auto &point : value) {
      const std::optional<double> tiles = toNumber(point.first), ns = toNumber(point.second);
      if (!tiles || *tiles < 1 || *tiles > 1 << 20 || *tiles != std::floor(*tiles) || !ns || *ns < 0 || *ns > 1e9)
        return error(key, "holds '" + plain(point.first) + ": " + plain(point.second) + "', allowed: whole tiles of 1..1048576, ns of 0..1e9");
      profile.barrier_ns.emplace_back(uint32_t(*tiles), *ns);
    }
    std::sort(profile.barrier_ns.begin(), profile.barrier_ns.end());
  }

  static std::string plain(const YAML::Node &node) { return node.IsScalar() ? node.Scalar() : node.IsMap() ? "{...}" : node.IsSequence() ? "[...]" : ""; }

  static std::optional<double> toNumber(const YAML::Node &node) {
    double number = 0;
    if (!node.IsScalar() || !YAML::convert<double>::decode(node, number) || !std::isfinite(number)) return std::nullopt;
    return number;
  }

private:
  static bool inside(double number, const Field &field, bool whole) {
    return number >= field.min && number <= field.max && (!whole || number == std::floor(number));
  }

  std::string file_;
  std::vector<std::string> &errors_;
};

/// The keys at one level of a list of dotted ones: level("limits.") of "limits.delay" is "delay".
std::set<std::string> level(const std::vector<Field> &fields, const std::string &prefix) {
  std::set<std::string> keys;
  for (const Field &field : fields)
    if (field.key.compare(0, prefix.size(), prefix) == 0) keys.insert(field.key.substr(prefix.size(), field.key.find('.', prefix.size()) - prefix.size()));
  return keys;
}

void readProfile(Reader &reader, const YAML::Node &node, const std::string &name, Chip &chip) {
  const std::string key = "profiles." + name;
  if (!node.IsMap()) return reader.error(key, "has to be a map");
  Profile profile;
  profile.name = name;
  const std::vector<Field> fields = profileFields(profile);
  std::set<std::string> top = level(fields, "");
  top.insert({"title", "source", "barrier"});
  reader.known(node, key, top);
  for (const Field &field : fields) {
    const size_t dot = field.key.find('.');
    if (dot != std::string::npos && field.key.substr(dot) == ".energy")
      reader.known(Reader::at(node, field.key.substr(0, dot)), key + "." + field.key.substr(0, dot), {"energy", "time"});
    reader.read(node, key + ".", field);
  }
  for (auto [member, to] : {std::pair{"title", &profile.title}, std::pair{"source", &profile.source}}) {
    const YAML::Node text = Reader::at(node, member);
    if (text.IsDefined() && text.IsScalar() && !text.Scalar().empty()) *to = text.Scalar();
    else reader.error(key + "." + member, "is missing; it says in words what the profile is and where it is from");
  }
  reader.barrier(node, key + ".barrier", profile);
  chip.profiles.push_back(std::move(profile));
}

void readFacts(Reader &reader, const YAML::Node &facts, Chip &chip) {
  if (!facts.IsDefined()) return;
  if (!facts.IsMap()) return reader.error("facts", "has to be a map");
  for (const auto &entry : facts) {
    const std::string name = Reader::plain(entry.first);
    Quantity quantity;
    const YAML::Node unit = Reader::at(entry.second, "unit");
    Field field{name, &quantity, unit.IsDefined() ? Reader::plain(unit) : "", -1e18, 1e18, ""};
    reader.read(facts, "facts.", field);
    chip.facts[name] = quantity;
  }
}

} // namespace

std::optional<double> Profile::barrierNs(uint32_t tiles) const {
  if (barrier_ns.empty()) return std::nullopt;
  for (auto [most, ns] : barrier_ns)
    if (tiles <= most) return ns;
  return barrier_ns.back().second;
}

const Profile *Chip::profile(const std::string &name) const {
  for (const Profile &each : profiles)
    if (each.name == name) return &each;
  return nullptr;
}

ChipResult parseChip(const std::string &text, const std::string &file) {
  ChipResult result;
  Reader reader(file, result.errors);
  YAML::Node root;
  try {
    root.reset(YAML::Load(text));
  } catch (const YAML::Exception &e) {
    result.errors.push_back(file + ": line " + std::to_string(e.mark.line + 1) + ": no YAML: " + e.msg);
    return result;
  }
  if (!root.IsMap()) {
    result.errors.push_back(file + ": is no map of keys; docs/loihi-targets.md describes a chip file");
    return result;
  }
  Chip chip;
  chip.text = text;
  const std::vector<Field> fields = chipFields(chip);
  std::set<std::string> top = level(fields, "");
  for (const std::string &group : top)
    if (group != "generation") reader.known(Reader::at(root, group), group, level(fields, group + "."));
  top.insert({"name", "title", "profiles", "facts"});
  reader.known(root, "", top);
  for (auto [key, to] : {std::pair{"name", &chip.name}, std::pair{"title", &chip.title}}) {
    const YAML::Node node = Reader::at(root, key);
    if (node.IsDefined() && node.IsScalar() && !node.Scalar().empty()) *to = node.Scalar();
    else reader.error(key, "is missing; it needs a text");
  }
  for (const Field &field : fields) reader.read(root, "", field);
  const YAML::Node profiles = Reader::at(root, "profiles");
  if (!profiles.IsDefined() || !profiles.IsMap()) reader.error("profiles", "is missing; it needs {NAME: {...}, ...}, or {} where no energies are known");
  else
    for (const auto &entry : profiles) readProfile(reader, entry.second, Reader::plain(entry.first), chip);
  readFacts(reader, Reader::at(root, "facts"), chip);

  const uint64_t positions = uint64_t(chip.mesh.width) * chip.mesh.height * chip.mesh.cores_per_tile;
  if (result.errors.empty() && chip.mesh.cores_per_chip > positions)
    reader.error("mesh.cores_per_chip", "is " + std::to_string(chip.mesh.cores_per_chip) + ", but the mesh has places for " + std::to_string(positions));
  if (result.errors.empty()) result.chip = std::move(chip);
  return result;
}

ChipResult loadChip(const std::string &name_or_path) {
  for (const auto &each : kBuiltin)
    if (name_or_path == each.name) return parseChip(each.text, name_or_path);
  std::ifstream in(name_or_path, std::ios::binary);
  std::stringstream text;
  if (!(in && text << in.rdbuf())) {
    std::string names;
    for (const std::string &name : builtinChips()) names += (names.empty() ? "" : ", ") + name;
    return {std::nullopt, {name_or_path + ": cannot be read as a chip file, and is no built-in chip (" + names + ")"}};
  }
  return parseChip(text.str(), name_or_path);
}

std::vector<std::string> builtinChips() {
  std::vector<std::string> names;
  for (const auto &each : kBuiltin) names.push_back(each.name);
  return names;
}

} // namespace lasnn::loihi
