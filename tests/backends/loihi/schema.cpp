#include "tests/backends/loihi/schema.h"

namespace lasnn::loihi {
namespace {

using Json = nlohmann::ordered_json;

class Validator {
public:
  Validator(const Json &root, std::vector<std::string> &errors) : root(root), errors(errors) {}

  void check(const Json &schema, const Json &value, const std::string &place) {
    for (const auto &[key, rule] : schema.items()) {
      if (key == "$schema" || key == "title" || key == "description" || key == "$defs") continue;
      if (key == "$ref") check(root.at(Json::json_pointer(rule.get<std::string>().substr(1))), value, place);
      else if (key == "type") type(rule, value, place);
      else if (key == "const" && value != rule) wrong(place, "is not " + rule.dump());
      else if (key == "enum" && std::find(rule.begin(), rule.end(), value) == rule.end()) wrong(place, "is none of " + rule.dump());
      else if (key == "minimum" && value.is_number() && value.get<double>() < rule.get<double>()) wrong(place, "is below " + rule.dump());
      else if (key == "minItems" && value.size() < rule.get<size_t>()) wrong(place, "has too few entries");
      else if (key == "maxItems" && value.size() > rule.get<size_t>()) wrong(place, "has too many entries");
      else if (key == "items") for (size_t i = 0; i < value.size() && value.is_array(); ++i) check(rule, value[i], place + "/" + std::to_string(i));
      else if (key == "properties" || key == "additionalProperties") members(schema, value, place, key);
      else if (key == "required") { for (const Json &name : rule) if (!value.contains(name.get<std::string>())) wrong(place, "lacks " + name.dump()); }
      else if (key == "anyOf") anyOf(rule, value, place);
      else if (key != "const" && key != "enum" && key != "minimum" && key != "minItems" && key != "maxItems") wrong(place, "the schema says '" + key + "', which this check does not know");
    }
  }

private:
  void wrong(const std::string &place, const std::string &what) { errors.push_back((place.empty() ? "/" : place) + " " + what); }

  static bool is(const std::string &name, const Json &value) {
    return (name == "object" && value.is_object()) || (name == "array" && value.is_array()) || (name == "string" && value.is_string()) || (name == "null" && value.is_null()) ||
           (name == "boolean" && value.is_boolean()) || (name == "integer" && value.is_number_integer()) || (name == "number" && value.is_number());
  }
  void type(const Json &rule, const Json &value, const std::string &place) {
    if (rule.is_string() ? is(rule.get<std::string>(), value) : std::any_of(rule.begin(), rule.end(), [&](const Json &one) { return is(one.get<std::string>(), value); })) return;
    wrong(place, "is " + std::string(value.type_name()) + ", expected " + rule.dump());
  }
  void members(const Json &schema, const Json &value, const std::string &place, const std::string &key) {
    if (!value.is_object()) return;
    for (const auto &[name, member] : value.items()) {
      const bool known = schema.contains("properties") && schema["properties"].contains(name);
      if (key == "properties" && known) check(schema["properties"][name], member, place + "/" + name);
      if (key == "additionalProperties" && !known) wrong(place, "has '" + name + "', which the schema does not know");
    }
  }
  void anyOf(const Json &rules, const Json &value, const std::string &place) {
    for (const Json &rule : rules) {
      std::vector<std::string> own;
      Validator(root, own).check(rule, value, place);
      if (own.empty()) return;
    }
    wrong(place, "fits none of the alternatives");
  }

  const Json &root;
  std::vector<std::string> &errors;
};

} // namespace

std::vector<std::string> schemaErrors(const Json &schema, const Json &document) {
  std::vector<std::string> errors;
  Validator(schema, errors).check(schema, document, "");
  return errors;
}

} // namespace lasnn::loihi
