// Tiny ImageNet and folders of images: a file an image, decoded once into the cache.
#include "frontend/data/image.h"
#include "frontend/data/records.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <map>

namespace lasnn::data {
namespace {

constexpr std::string_view endings[] = {".jpeg", ".jpg", ".png"};

bool readLines(const std::string &path, std::vector<std::string> &lines, std::string &error) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.empty() && line.back() == '\r')
      line.pop_back();
    if (!line.empty())
      lines.push_back(std::move(line));
  }
  if (!lines.empty())
    return true;
  error = fmt::format("{}: cannot be read, or is empty; tiny-imagenet needs the folder that holds train/, val/ and wnids.txt", path);
  return false;
}

/// Files of exactly the set's size.
Decode exactly(uint32_t width, uint32_t height, std::string advice) {
  return [=](const std::string &path, std::span<uint8_t> bytes, Tally &, std::string &problem) {
    Image image;
    if (!readImage(path, image, problem))
      return false;
    if (image.width != width || image.height != height) {
      problem = fmt::format("{}: {}x{} pixels, expected {}x{}{}", path, image.width, image.height, width, height, advice);
      return false;
    }
    toPlanes(image, bytes);
    return true;
  };
}

} // namespace

bool readTinyImagenet(const Set &set, const Request &request, Dataset &out, std::string &error) {
  std::vector<std::string> wnids;
  if (!readLines(request.dir + "/wnids.txt", wnids, error))
    return false;
  std::map<std::string, uint16_t, std::less<>> classOf;
  for (const std::string &wnid : wnids)
    if (!classOf.emplace(wnid, uint16_t(classOf.size())).second || classOf.size() > 65535) {
      error = fmt::format("{}/wnids.txt: {} is listed twice", request.dir, wnid);
      return false;
    }
  out.channels = set.channels, out.height = set.height, out.width = set.width, out.classes = uint32_t(wnids.size());
  std::vector<std::vector<Record>> classes(wnids.size());
  if (request.train) {
    for (size_t k = 0; k < wnids.size(); ++k) {
      const std::string folder = fmt::format("{}/train/{}/images", request.dir, wnids[k]);
      for (const std::string &file : filesIn(folder, endings))
        classes[k].push_back({folder + "/" + file, uint16_t(k)});
      if (classes[k].empty()) {
        error = fmt::format("{}: no JPEG in it, but wnids.txt lists {}; unpack the set again", folder, wnids[k]);
        return false;
      }
    }
  } else {
    std::vector<std::string> lines;
    const std::string path = request.dir + "/val/val_annotations.txt";
    if (!readLines(path, lines, error))
      return false;
    for (size_t i = 0; i < lines.size(); ++i) {
      const size_t tab = lines[i].find('\t'), end = std::min(lines[i].find('\t', tab + 1), lines[i].size());
      const auto found = tab == std::string::npos ? classOf.end() : classOf.find(std::string_view(lines[i]).substr(tab + 1, end - tab - 1));
      if (found == classOf.end() || lines[i].substr(0, tab).find('/') != std::string::npos) {
        error = fmt::format("{}: line {} is \"{}\", expected FILE, a tab, and a class of wnids.txt", path, i + 1, lines[i]);
        return false;
      }
      classes[found->second].push_back({fmt::format("{}/val/images/{}", request.dir, lines[i].substr(0, tab)), found->second});
    }
  }
  return readCachedRecords(interleave(std::move(classes)), request, "tiny-imagenet 64x64", exactly(set.width, set.height, ""), out, error);
}

bool readFolder(const Set &set, const Request &request, Dataset &out, std::string &error) {
  uint64_t size = 0;
  if (!wordNumber(request, "size", 1, 1024, 0, size, error))
    return false;
  constexpr std::string_view trainNames[] = {"train"}, testNames[] = {"test", "val"};
  const std::string train = firstFolder(request.dir, trainNames), test = firstFolder(request.dir, testNames), root = request.train ? train : test;
  if (root.empty()) {
    error = fmt::format("{}: no folder {} in it; expected DIR/train/<class>/ and DIR/test/<class>/ (or val) with JPEG or PNG files", request.dir,
                        request.train ? "train" : "test or val");
    return false;
  }
  const std::vector<std::string> names = foldersIn(train.empty() ? root : train);
  if (names.empty() || names.size() > 65535) {
    error = fmt::format("{}: {} folders in it, expected one a class, 1 to 65535", train.empty() ? root : train, names.size());
    return false;
  }
  for (const std::string &name : foldersIn(root))
    if (!std::binary_search(names.begin(), names.end(), name)) {
      error = fmt::format("{}/{}: a class that {} does not have", root, name, train);
      return false;
    }
  std::vector<std::vector<Record>> classes(names.size());
  for (size_t k = 0; k < names.size(); ++k)
    for (const std::string &file : filesIn(root + "/" + names[k], endings))
      classes[k].push_back({fmt::format("{}/{}/{}", root, names[k], file), uint16_t(k)});
  std::vector<Record> records = interleave(std::move(classes));
  if (records.empty()) {
    error = fmt::format("{}: no .jpg, .jpeg or .png in its folders", root);
    return false;
  }
  out.channels = set.channels, out.classes = uint32_t(names.size());
  if (size) {
    out.height = out.width = uint32_t(size);
    return readCachedRecords(std::move(records), request, fmt::format("folder scaled and cropped to {}", size),
                             [=](const std::string &path, std::span<uint8_t> bytes, Tally &, std::string &problem) {
                               Image image;
                               if (!readImage(path, image, problem))
                                 return false;
                               toPlanes(scaleAndCrop(image, uint32_t(size)), bytes);
                               return true;
                             },
                             out, error);
  }
  // Without size= the first sound image of the training split says what all must have.
  Image first;
  std::string problem;
  const std::string model = train.empty() ? root : train;
  for (const std::string &name : names)
    for (const std::string &file : filesIn(model + "/" + name, endings))
      if (!first.width)
        readImage(fmt::format("{}/{}/{}", model, name, file), first, problem);
  if (!first.width) {
    error = problem.empty() ? fmt::format("{}: no image in it", model) : problem;
    return false;
  }
  out.height = first.height, out.width = first.width;
  return readCachedRecords(std::move(records), request, fmt::format("folder {}x{}", first.width, first.height),
                           exactly(first.width, first.height, " as the first image; give ?size=N after the folder to scale and crop all to NxN"), out, error);
}

} // namespace lasnn::data
