// Error text without heap: a fixed buffer of the caller, always zero-terminated.
#pragma once

#include <cstdarg>
#include <cstddef>
#include <cstdio>

namespace lasnn::runtime {

class ErrorText {
public:
  ErrorText(char *text, size_t size) : text_(text), size_(text ? size : 0) {
    if (size_ > 0) text_[0] = 0;
  }
  __attribute__((format(printf, 2, 3))) void set(const char *format, ...) {
    if (size_ == 0) return;
    va_list args;
    va_start(args, format);
    vsnprintf(text_, size_, format, args);
    va_end(args);
  }

private:
  char *text_;
  size_t size_;
};

} // namespace lasnn::runtime
