// The model is not trusted: its data has to be a regular file in the model's own folder or below, by its real path.
#include "frontend/onnx/external.h"
#include "frontend/onnx/node.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

#include <fmt/format.h>
#include <onnx/onnx_pb.h>

namespace path = llvm::sys::path;

namespace lasnn::onnx_import {

bool readExternal(onnx::TensorProto &tensor, llvm::StringRef modelFile, uint64_t &total, std::string &problem, std::string &fix) {
  auto refuse = [&](std::string what, std::string todo = "") {
    problem = std::move(what);
    fix = std::move(todo);
    return false;
  };
  std::string location;
  uint64_t offset = 0;
  std::optional<uint64_t> length;
  for (const auto &entry : tensor.external_data()) {
    llvm::StringRef value = entry.value();
    uint64_t number = 0;
    bool isNumber = !value.getAsInteger(10, number);
    if (entry.key() == "location")
      location = value.str();
    else if ((entry.key() == "offset" || entry.key() == "length") && !isNumber)
      return refuse(fmt::format("its external data has {} = {}, expected a number", entry.key(), quoted(value)));
    else if (entry.key() == "offset")
      offset = number;
    else if (entry.key() == "length")
      length = number;
  }
  bool up = llvm::is_contained(llvm::make_range(path::begin(location), path::end(location)), "..");
  if (location.empty() || path::is_absolute(location) || up || location.find('\0') != std::string::npos ||
      location.find('\\') != std::string::npos)
    return refuse(
        fmt::format("its data lies in the file {}, expected a relative path in the model's folder, without \"..\"", quoted(location)),
        "save the model in one file: onnx.save(model, path, save_as_external_data=False)");
  llvm::SmallString<128> folder(path::parent_path(modelFile)), file, realFolder, realFile;
  if (folder.empty()) folder = ".";
  file = folder;
  path::append(file, location);
  if (std::error_code code = llvm::sys::fs::real_path(file, realFile); code || llvm::sys::fs::real_path(folder, realFolder))
    return refuse(fmt::format("its data lies in the file {} beside the model, which cannot be read: {}", quoted(location), code.message()),
                  "keep the files of an export together, or save the model in one: onnx.save(model, path, save_as_external_data=False)");
  if (realFolder.back() != '/') realFolder += '/';
  if (!llvm::StringRef(realFile).starts_with(realFolder))
    return refuse(
        fmt::format("its data lies in the file {}, a link to outside of the model's folder, expected a file within", quoted(location)));
  llvm::sys::fs::file_status status;
  if (llvm::sys::fs::status(realFile, status) || status.type() != llvm::sys::fs::file_type::regular_file)
    return refuse(fmt::format("its data lies in {}, expected a regular file", quoted(location)));
  uint64_t size = status.getSize();
  if (offset > size || (length && *length > size - offset))
    return refuse(fmt::format("its data is {} from byte {} of the file {}, which has {}",
                              length ? fmt::format("{} bytes", *length) : "the rest", offset, quoted(location), size),
                  "the file may be cut off: export the network again");
  uint64_t bytes = length.value_or(size - offset);
  // No element is wider than 8 bytes; decodeTensor compares with the exact size.
  int64_t count = elementCount(llvm::SmallVector<int64_t, 4>(tensor.dims().begin(), tensor.dims().end()));
  if (count < 0 || bytes > uint64_t(count) * 8)
    return refuse(fmt::format("its external data has {} bytes, expected those of {} elements", bytes, std::max<int64_t>(count, 0)));
  if (bytes > kMaxExternalBytes - total)
    return refuse(fmt::format("the model's external data is more than {} bytes in all, expected at most that", kMaxExternalBytes));
  total += bytes;
  tensor.clear_external_data();
  tensor.set_data_location(onnx::TensorProto::DEFAULT);
  if (bytes == 0) return true;
  auto buffer = llvm::MemoryBuffer::getFileSlice(realFile, bytes, offset);
  if (!buffer) return refuse(fmt::format("its data in the file {} cannot be read: {}", quoted(location), buffer.getError().message()));
  tensor.set_raw_data((*buffer)->getBufferStart(), bytes);
  return true;
}

} // namespace lasnn::onnx_import
