#include "backends/loihi/lmap.h"

#include "runtime/core/hash.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/util/json_util.h>

#include <cstdio>
#include <cstring>

namespace lasnn::loihi {

namespace {

constexpr char kMark[8] = {'L', 'A', 'S', 'N', 'N', 'M', 'A', 'P'};

/// Protobuf promises one order of bytes only when asked.
std::string serialized(const lmap::Mapping &mapping) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  mapping.SerializeToCodedStream(&coded);
  coded.Trim();
  return bytes;
}

std::string hex(uint64_t value) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value));
  return text;
}

bool looksLikeJson(const std::vector<uint8_t> &bytes) {
  for (const uint8_t byte : bytes)
    if (byte != ' ' && byte != '\n' && byte != '\r' && byte != '\t') return byte == '{';
  return false;
}

bool checkRead(const lmap::Mapping &mapping, std::string &error) {
  if (mapping.version() != kLmapVersion) {
    error = "the mapping has version " + std::to_string(mapping.version()) + ", this build reads version " + std::to_string(kLmapVersion);
    return false;
  }
  const std::string hash = lmapHash(mapping);
  if (hash != mapping.hash()) {
    error = "the mapping is damaged or was edited: its hash is " + hash + ", its header says '" + mapping.hash() + "'";
    return false;
  }
  return true;
}

} // namespace

std::string textHash(const std::string &text) { return hex(runtime::hash64(text.data(), text.size(), 0)); }

std::string lmapHash(const lmap::Mapping &mapping) {
  if (mapping.hash().empty()) return textHash(serialized(mapping));
  lmap::Mapping plain = mapping;
  plain.clear_hash();
  return textHash(serialized(plain));
}

std::vector<uint8_t> writeLmap(lmap::Mapping mapping) {
  mapping.set_version(kLmapVersion);
  mapping.clear_hash();
  mapping.set_hash(lmapHash(mapping));
  const std::string message = serialized(mapping);
  std::vector<uint8_t> bytes(sizeof kMark + message.size());
  std::memcpy(bytes.data(), kMark, sizeof kMark);
  std::memcpy(bytes.data() + sizeof kMark, message.data(), message.size());
  return bytes;
}

std::string lmapToJson(const lmap::Mapping &mapping, std::string &error) {
  lmap::Mapping whole = mapping;
  whole.set_version(kLmapVersion);
  whole.clear_hash();
  whole.set_hash(lmapHash(whole));
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string text;
  const auto status = google::protobuf::util::MessageToJsonString(whole, &text, options);
  if (!status.ok()) {
    error = "the mapping cannot be written as JSON: " + status.ToString();
    return "";
  }
  return text;
}

bool isLmap(const std::vector<uint8_t> &bytes) {
  return bytes.size() >= sizeof kMark && std::memcmp(bytes.data(), kMark, sizeof kMark) == 0;
}

bool readLmap(const std::vector<uint8_t> &bytes, lmap::Mapping &mapping, std::string &error) {
  if (looksLikeJson(bytes)) {
    const auto status = google::protobuf::util::JsonStringToMessage(std::string(bytes.begin(), bytes.end()), &mapping);
    if (!status.ok()) {
      error = "not a mapping in JSON: " + status.ToString();
      return false;
    }
    return checkRead(mapping, error);
  }
  if (!isLmap(bytes)) {
    error = "not an .lmap: neither its mark nor JSON";
    return false;
  }
  google::protobuf::io::CodedInputStream stream(bytes.data() + sizeof kMark, int(bytes.size() - sizeof kMark));
  stream.SetTotalBytesLimit(INT32_MAX);
  if (bytes.size() > INT32_MAX || !mapping.ParseFromCodedStream(&stream) || !stream.ConsumedEntireMessage()) {
    error = "the mapping is damaged: its bytes are not a whole message";
    return false;
  }
  return checkRead(mapping, error);
}

} // namespace lasnn::loihi
