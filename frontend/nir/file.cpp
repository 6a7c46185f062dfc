// Sizes come from the file and are checked before memory is taken. HDF5's own messages are silenced: they name its source, not ours.
#include "frontend/nir/isolate.h"

#include <hdf5.h>

#include <fmt/format.h>

#include <mutex>

using llvm::StringRef;

namespace lasnn::nir {

const Array *Group::array(StringRef name) const {
  auto at = arrays.find(name.str());
  return at == arrays.end() ? nullptr : &at->second;
}
std::string Group::text(StringRef name) const {
  const Array *found = array(name);
  return found && found->texts.size() == 1 ? found->texts[0] : std::string();
}

namespace {

/// An HDF5 identifier, closed by its own function.
class Id {
public:
  Id(hid_t id, herr_t (*close)(hid_t)) : id(id), close(close) {}
  ~Id() {
    if (id >= 0) close(id);
  }
  Id(const Id &) = delete;
  Id &operator=(const Id &) = delete;
  operator hid_t() const { return id; }

private:
  hid_t id;
  herr_t (*close)(hid_t);
};

/// HDF5 keeps one error stack and one library state for the process.
struct Session {
  std::lock_guard<std::mutex> lock{mutex()};
  H5E_auto2_t handler = nullptr;
  void *data = nullptr;
  Session() {
    H5open();
    H5PLset_loading_state(0); // a file must not choose code to load
    H5Eget_auto2(H5E_DEFAULT, &handler, &data);
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  }
  ~Session() { H5Eset_auto2(H5E_DEFAULT, handler, data); }
  static std::mutex &mutex() {
    static std::mutex one;
    return one;
  }
};

struct Link {
  std::string name;
  bool hard;
};
extern "C" herr_t collectLink(hid_t, const char *name, const H5L_info_t *info, void *data) {
  auto &links = *static_cast<std::vector<Link> *>(data);
  if (links.size() >= size_t(kMaxObjects)) return 1;
  links.push_back({name, info->type == H5L_TYPE_HARD});
  return 0;
}

class Reader {
public:
  Reader(const Report &report, size_t fileSize) : report(report), fileSize(fileSize) {}

  void read(hid_t group, const std::string &path, Group &out, int depth) {
    if (depth > kMaxDepth) return report(path, fmt::format("groups lie more than {0} deep, expected at most {0}", kMaxDepth));
    std::vector<Link> links;
    hsize_t at = 0;
    if (H5Literate(group, H5_INDEX_NAME, H5_ITER_NATIVE, &at, collectLink, &links) < 0)
      return report(path, "the group cannot be read, expected a whole file; it may be cut off or damaged");
    for (const Link &link : links) {
      const std::string own = path.empty() ? link.name : path + "/" + link.name;
      if (++objects > kMaxObjects) {
        if (objects == kMaxObjects + 1)
          report(path, fmt::format("the file holds more than {0} objects, expected at most {0}", kMaxObjects));
        return;
      }
      if (!link.hard) {
        report(own, "it is a link to another place or file, expected the data itself");
        continue;
      }
      Id object(H5Oopen(group, link.name.c_str(), H5P_DEFAULT), H5Oclose);
      const H5I_type_t kind = object < 0 ? H5I_BADID : H5Iget_type(object);
      if (kind == H5I_GROUP) {
        auto child = std::make_unique<Group>();
        read(object, own, *child, depth + 1);
        out.groups[link.name] = std::move(child);
      } else if (kind == H5I_DATASET) {
        Array array;
        std::string problem = readArray(object, array);
        if (problem.empty())
          out.arrays[link.name] = std::move(array);
        else
          report(own, problem);
      } else {
        report(own, "it cannot be read, expected a group or a data set; the file may be damaged");
      }
    }
  }

private:
  const Report &report;
  size_t fileSize;
  int objects = 0;
  int64_t elements = 0;

  /// What is stored must account for what is read: deflate packs 1032 to 1 at best.
  std::string checkStorage(hid_t dataset, uint64_t count, size_t size) {
    Id plist(H5Dget_create_plist(dataset), H5Pclose);
    if (plist < 0) return "its layout cannot be read, expected a whole file";
    const H5D_layout_t layout = H5Pget_layout(plist);
    if (layout != H5D_CONTIGUOUS && layout != H5D_COMPACT && layout != H5D_CHUNKED)
      return "its layout is virtual or unknown, expected data in the file itself";
    if (H5Pget_external_count(plist) != 0) return "its data lie in another file, expected them in this one";
    uint64_t ratio = 1;
    const int filters = layout == H5D_CHUNKED ? H5Pget_nfilters(plist) : 0;
    if (filters < 0 || filters > 8) return fmt::format("it has {} filters, expected at most 8", filters);
    for (int k = 0; k < filters; ++k) {
      unsigned flags = 0, config = 0;
      size_t parts = 0;
      const H5Z_filter_t filter = H5Pget_filter2(plist, unsigned(k), &flags, &parts, nullptr, 0, nullptr, &config);
      if (filter == H5Z_FILTER_DEFLATE)
        ratio *= 1100;
      else if (filter != H5Z_FILTER_SHUFFLE && filter != H5Z_FILTER_FLETCHER32)
        return fmt::format("it is packed by filter {}, expected deflate (gzip)", int(filter));
      if (ratio > 1100) return "it is packed twice, expected once";
    }
    if (layout == H5D_CHUNKED) {
      hsize_t chunk[H5S_MAX_RANK];
      const int rank = H5Pget_chunk(plist, H5S_MAX_RANK, chunk);
      uint64_t bytes = size;
      for (int k = 0; k < rank; ++k)
        if (chunk[k] == 0 || (bytes *= chunk[k]) > uint64_t(kMaxElements) * 8) return "its chunks are too large, expected at most 512 MiB";
    }
    const uint64_t stored = H5Dget_storage_size(dataset);
    if (stored > fileSize)
      return fmt::format("it claims {} stored bytes of a file of {}, expected no more than the file has", stored, fileSize);
    if (count * size > stored * ratio)
      return fmt::format("it claims {} values, of which {} bytes are stored, expected all of them", count, stored);
    return "";
  }

  std::string readArray(hid_t dataset, Array &out) {
    Id space(H5Dget_space(dataset), H5Sclose), type(H5Dget_type(dataset), H5Tclose);
    if (space < 0 || type < 0) return "its type and size cannot be read, expected a whole file; it may be damaged";
    const H5S_class_t spaceClass = H5Sget_simple_extent_type(space);
    if (spaceClass != H5S_SCALAR && spaceClass != H5S_SIMPLE) return "it is empty, expected a number, a text or an array";
    hsize_t dims[H5S_MAX_RANK] = {};
    const int rank = spaceClass == H5S_SCALAR ? 0 : H5Sget_simple_extent_dims(space, dims, nullptr);
    if (rank < 0 || rank > 8) return fmt::format("it has {} axes, expected at most 8", rank);
    uint64_t count = 1;
    for (int k = 0; k < rank; ++k) {
      if (dims[k] == 0) return "an axis has size 0, expected at least 1";
      if (dims[k] > uint64_t(kMaxElements) || (count *= dims[k]) > uint64_t(kMaxElements - elements))
        return fmt::format("it brings the file above {0} values, expected at most {0} in all", kMaxElements);
      out.shape.push_back(int64_t(dims[k]));
    }
    const size_t size = H5Tget_size(type);
    const H5T_class_t kind = H5Tget_class(type);
    if (kind != H5T_STRING && kind != H5T_FLOAT && kind != H5T_INTEGER) return "its type is neither number nor text, expected one of them";
    if (size == 0 || size > 65536) return fmt::format("its values have {} bytes, expected 1 to 65536", size);
    if (std::string problem = checkStorage(dataset, count, size); !problem.empty()) return problem;
    elements += int64_t(count);
    if (kind == H5T_STRING) return readTexts(dataset, space, type, count, size, out);
    out.values.resize(count);
    if (H5Dread(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, out.values.data()) < 0)
      return "its values cannot be read; the file may be damaged";
    return "";
  }

  std::string readTexts(hid_t dataset, hid_t space, hid_t type, uint64_t count, size_t size, Array &out) {
    if (count > uint64_t(kMaxObjects) * 4) return fmt::format("it holds {} texts, expected at most {}", count, kMaxObjects * 4);
    if (H5Tis_variable_str(type) > 0) {
      std::vector<char *> texts(count, nullptr);
      const bool fine = H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, texts.data()) >= 0;
      for (const char *text : texts)
        out.texts.emplace_back(text ? StringRef(text).take_front(65536).str() : "");
      H5Dvlen_reclaim(type, space, H5P_DEFAULT, texts.data());
      return fine ? "" : "its text cannot be read; the file may be damaged";
    }
    if (count * size > fileSize) return "it claims more text than the file has bytes";
    std::vector<char> bytes(count * size);
    if (H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data()) < 0) return "its text cannot be read; the file may be damaged";
    for (uint64_t k = 0; k < count; ++k)
      out.texts.push_back(StringRef(bytes.data() + k * size, size).split('\0').first.str());
    return "";
  }
};

bool writeArray(hid_t group, const std::string &name, const Array &array) {
  std::vector<hsize_t> dims(array.shape.begin(), array.shape.end());
  Id space(dims.empty() ? H5Screate(H5S_SCALAR) : H5Screate_simple(int(dims.size()), dims.data(), nullptr), H5Sclose);
  if (array.isText()) {
    Id type(H5Tcopy(H5T_C_S1), H5Tclose);
    H5Tset_size(type, H5T_VARIABLE);
    H5Tset_cset(type, H5T_CSET_UTF8);
    std::vector<const char *> texts;
    for (const std::string &text : array.texts)
      texts.push_back(text.c_str());
    Id dataset(H5Dcreate2(group, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Dclose);
    return dataset >= 0 && H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, texts.data()) >= 0;
  }
  // Weights are f32 and exact as such; constants of neurons need f64; shapes and windows are integers to other readers.
  bool integral = true, single = true;
  for (double value : array.values)
    integral &= value == double(int64_t(value)), single &= value == double(float(value));
  static const char *const counts[] = {"shape",       "stride",      "padding",    "dilation",  "groups",
                                       "kernel_size", "input_shape", "input_type", "start_dim", "end_dim"};
  bool isCount = false;
  for (const char *count : counts)
    isCount |= name == count;
  const hid_t type = isCount && integral ? H5T_STD_I64LE : single ? H5T_IEEE_F32LE : H5T_IEEE_F64LE;
  Id dataset(H5Dcreate2(group, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Dclose);
  return dataset >= 0 && H5Dwrite(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, array.values.data()) >= 0;
}

bool writeGroup(hid_t group, const Group &from) {
  for (const auto &[name, array] : from.arrays)
    if (!writeArray(group, name, array)) return false;
  for (const auto &[name, child] : from.groups) {
    Id own(H5Gcreate2(group, name.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Gclose);
    if (own < 0 || !writeGroup(own, *child)) return false;
  }
  return true;
}

} // namespace

std::unique_ptr<Group> readFileHere(StringRef bytes, const Report &report) {
  Session session;
  Id access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  H5Pset_fapl_core(access, 65536, 0);
  if (H5Pset_file_image(access, const_cast<char *>(bytes.data()), bytes.size()) < 0) return nullptr; // copied, not written
  Id file(H5Fopen("nir-in-memory", H5F_ACC_RDONLY, access), H5Fclose);
  if (file < 0) return nullptr;
  Id root(H5Gopen2(file, "/", H5P_DEFAULT), H5Gclose);
  if (root < 0) return nullptr;
  auto tree = std::make_unique<Group>();
  Reader(report, bytes.size()).read(root, "", *tree, 0);
  return tree;
}

std::string writeFile(const Group &tree) {
  Session session;
  Id access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  H5Pset_fapl_core(access, 65536, 0);
  Id file(H5Fcreate("nir-in-memory", H5F_ACC_TRUNC, H5P_DEFAULT, access), H5Fclose);
  if (file < 0) return "";
  {
    Id root(H5Gopen2(file, "/", H5P_DEFAULT), H5Gclose);
    if (root < 0 || !writeGroup(root, tree)) return "";
  }
  H5Fflush(file, H5F_SCOPE_LOCAL);
  const ssize_t size = H5Fget_file_image(file, nullptr, 0);
  if (size <= 0) return "";
  std::string bytes(size_t(size), '\0');
  return H5Fget_file_image(file, bytes.data(), bytes.size()) == size ? bytes : "";
}

} // namespace lasnn::nir
