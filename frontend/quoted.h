// A name from a file that is not trusted, as errors show it: on one line, cut where it is long.
#pragma once

#include "llvm/ADT/StringRef.h"

#include <fmt/format.h>

#include <string>

namespace lasnn {

inline std::string quoted(llvm::StringRef name) {
  std::string text = "\"";
  for (unsigned char c : name.take_front(120)) {
    if (c < 0x20 || c == 0x7f || c == '"' || c == '\\')
      text += fmt::format("\\{:02X}", c);
    else
      text += char(c);
  }
  return text + (name.size() > 120 ? "…\"" : "\"");
}

} // namespace lasnn
