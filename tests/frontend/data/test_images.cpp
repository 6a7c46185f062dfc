// Sets of image files: JPEG and PNG written here through the libraries, layouts, scaling, the cache, checksums.
#include "frontend/data/image.h"
#include "frontend/data/records.h"
#include "tests/frontend/data/folder.h"

#include <cstdio>
#include <jpeglib.h>
#include <png.h>

using namespace lasnn::data;

namespace {

using Pixel = std::function<int(int x, int y, int c)>;

std::string jpeg(int width, int height, bool grey, const Pixel &pixel) {
  jpeg_compress_struct jpeg;
  jpeg_error_mgr errors;
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  unsigned char *bytes = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&jpeg, &bytes, &size);
  jpeg.image_width = JDIMENSION(width), jpeg.image_height = JDIMENSION(height);
  jpeg.input_components = grey ? 1 : 3, jpeg.in_color_space = grey ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(&jpeg);
  jpeg_set_quality(&jpeg, 100, TRUE);
  jpeg_start_compress(&jpeg, TRUE);
  for (int y = 0; y < height; ++y) {
    std::vector<JSAMPLE> row;
    for (int x = 0; x < width; ++x)
      for (int c = 0; c < (grey ? 1 : 3); ++c)
        row.push_back(JSAMPLE(pixel(x, y, c)));
    JSAMPROW at = row.data();
    jpeg_write_scanlines(&jpeg, &at, 1);
  }
  jpeg_finish_compress(&jpeg);
  jpeg_destroy_compress(&jpeg);
  const std::string out(reinterpret_cast<char *>(bytes), size);
  free(bytes);
  return out;
}

std::string png(int width, int height, bool grey, const Pixel &pixel) {
  std::vector<png_byte> data;
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (int c = 0; c < (grey ? 1 : 3); ++c)
        data.push_back(png_byte(pixel(x, y, c)));
  png_image image{};
  image.version = PNG_IMAGE_VERSION, image.width = png_uint_32(width), image.height = png_uint_32(height);
  image.format = grey ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  png_alloc_size_t size = 0;
  png_image_write_to_memory(&image, nullptr, &size, 0, data.data(), 0, nullptr);
  std::string out(size, 0);
  png_image_write_to_memory(&image, out.data(), &size, 0, data.data(), 0, nullptr);
  return out.substr(0, size);
}

int smooth(int x, int y, int c) { return 40 + 2 * x + y + 30 * c; }

class Images : public Folder {
protected:
  void SetUp() override {
    Folder::SetUp();
    setenv("LASNN_CACHE", (dir / "cache").c_str(), 1);
  }
  void TearDown() override {
    unsetenv("LASNN_CACHE");
    Folder::TearDown();
  }
  std::vector<fs::path> cached() {
    std::vector<fs::path> files;
    if (fs::is_directory(dir / "cache"))
      for (const auto &entry : fs::directory_iterator(dir / "cache"))
        files.push_back(entry.path());
    return files;
  }
  void tinyImagenet() {
    write("wnids.txt", "n2\nn1\n");
    for (const char *wnid : {"n1", "n2"})
      for (int i = 0; i < 3; ++i)
        write(fmt::format("train/{}/images/{}_{}.JPEG", wnid, wnid, i), jpeg(64, 64, i == 2, [=](int x, int y, int c) { return smooth(x, y, c) + i; }));
    write("val/val_annotations.txt", "val_0.JPEG\tn1\t0\t1\t2\t3\r\nval_1.JPEG\tn2\t0\t0\t9\t9\n");
    for (int i = 0; i < 2; ++i)
      write(fmt::format("val/images/val_{}.JPEG", i), jpeg(64, 64, false, smooth));
  }
};

TEST_F(Images, JpegAndPngBecomeBytes) {
  write("a.jpeg", jpeg(20, 10, false, smooth)), write("b.png", png(20, 10, false, smooth));
  write("c.jpg", jpeg(20, 10, true, smooth)), write("d.png", png(20, 10, true, smooth));
  for (const char *name : {"a.jpeg", "b.png", "c.jpg", "d.png"}) {
    const bool grey = name[0] >= 'c', exact = std::string(name).ends_with("png");
    Image image;
    ASSERT_TRUE(readImage(dir / name, image, error)) << error;
    ASSERT_EQ(image.width, 20u);
    ASSERT_EQ(image.height, 10u);
    std::vector<uint8_t> planes(600);
    toPlanes(image, planes);
    for (int c = 0; c < 3; ++c)
      for (int y = 0; y < 10; ++y)
        for (int x = 0; x < 20; ++x)
          EXPECT_NEAR(planes[size_t(c * 200 + y * 20 + x)], smooth(x, y, grey ? 0 : c), exact ? 0 : 4) << name;
  }
}

TEST_F(Images, DamagedFilesAreRefused) {
  const std::string j = jpeg(32, 32, false, smooth), p = png(32, 32, false, smooth);
  Image image;
  for (const auto &[bytes, what] : std::initializer_list<std::pair<std::string, std::string>>{
           {j.substr(0, j.size() / 2), "damaged JPEG"}, {j.substr(0, 30), "damaged JPEG"}, {p.substr(0, p.size() / 2), "damaged PNG"},
           {"hello", "neither JPEG nor PNG"}, {"", "neither JPEG nor PNG"}}) {
    write("x.png", bytes);
    EXPECT_FALSE(readImage(dir / "x.png", image, error)) << what;
    EXPECT_NE(error.find(what), std::string::npos) << error;
    EXPECT_NE(error.find("x.png"), std::string::npos) << error;
  }
}

TEST(Scaling, EqualsThePlainSums) {
  Image image{12, 8, {}};
  for (int y = 0; y < 8; ++y)
    for (int x = 0; x < 12; ++x)
      for (int c = 0; c < 3; ++c)
        image.rgb.push_back(uint8_t((x * 37 + y * 91 + c * 53) % 256));
  // Same size: the middle square, untouched.
  const Image same = scaleAndCrop(image, 8);
  for (size_t y = 0; y < 8; ++y)
    for (size_t x = 0; x < 24; ++x)
      EXPECT_EQ(same.rgb[y * 24 + x], image.rgb[y * 36 + 6 + x]);
  // Half: each new pixel is a triangle of 4 by 4 old ones, weights 1 3 3 1 (cut at the border).
  const Image half = scaleAndCrop(image, 4);
  const double weight[4] = {1, 3, 3, 1};
  for (int y = 0; y < 4; ++y)
    for (int x = 0; x < 4; ++x)
      for (int c = 0; c < 3; ++c) {
        double sum = 0, all = 0;
        for (int i = 0; i < 4; ++i)
          for (int j = 0; j < 4; ++j) {
            const int sy = 2 * y - 1 + i, sx = 2 * (x + 1) - 1 + j; // 6 pixels wide, one cut off on each side
            if (sy < 0 || sy >= 8 || sx < 0 || sx >= 12)
              continue;
            sum += weight[i] * weight[j] * image.rgb[size_t((sy * 12 + sx) * 3 + c)], all += weight[i] * weight[j];
          }
        EXPECT_NEAR(half.rgb[size_t((y * 4 + x) * 3 + c)], sum / all, 0.51) << x << " " << y;
      }
}

TEST_F(Images, TinyImagenet) {
  tinyImagenet();
  const auto train = load("tiny-imagenet");
  ASSERT_TRUE(train) << error;
  EXPECT_EQ(train->classes, 2u);
  EXPECT_EQ(train->labels, (std::vector<uint16_t>{0, 1, 0, 1, 0, 1})) << "wnids.txt's order, class by class in turn";
  EXPECT_EQ(train->pixels.size(), 6u * 3 * 64 * 64);
  EXPECT_TRUE(std::equal(train->image(4), train->image(4) + 4096, train->image(4) + 8192)) << "greyscale: three equal channels";
  const auto val = load("tiny-imagenet", "test");
  ASSERT_TRUE(val) << error;
  EXPECT_EQ(val->labels, (std::vector<uint16_t>{0, 1}));
  write("val/val_annotations.txt", "val_0.JPEG\tn7\n");
  refuses("tiny-imagenet", {"val_annotations.txt: line 1", "n7"}, "test");
  write("wnids.txt", "n2\nn1\nn3\n");
  refuses("tiny-imagenet", {"train/n3/images: no JPEG"});
  fs::remove(dir / "wnids.txt");
  refuses("tiny-imagenet", {"wnids.txt"});
}

TEST_F(Images, DamagedRecordsAreNamedOrLeftOut) {
  tinyImagenet();
  write("train/n1/images/n1_1.JPEG", "junk"), write("train/n2/images/n2_0.JPEG", jpeg(32, 64, false, smooth));
  refuses("tiny-imagenet", {"2 of 6 records are damaged", "n1_1.JPEG: neither JPEG", "n2_0.JPEG: 32x64 pixels, expected 64x64", "--skip-corrupt"});
  LoadOptions options;
  options.skipCorrupt = true;
  const auto set = load("tiny-imagenet", "train", options);
  ASSERT_TRUE(set) << error;
  EXPECT_EQ(set->count, 4u);
  ASSERT_EQ(set->notes.size(), 1u);
  EXPECT_TRUE(cached().empty()) << "what is not whole is not kept";
}

TEST_F(Images, FolderTakesTheFirstSizeOrScales) {
  write("train/cat/a.png", png(12, 8, false, smooth)), write("train/dog/b.jpg", jpeg(12, 8, false, smooth));
  write("val/dog/c.png", png(12, 8, true, smooth)), write("train/dog/notes.txt", "not an image");
  const auto set = load("folder");
  ASSERT_TRUE(set) << error;
  EXPECT_EQ(set->labels, (std::vector<uint16_t>{0, 1}));
  EXPECT_EQ(set->height, 8u);
  EXPECT_EQ(set->width, 12u);
  const auto val = load("folder", "test");
  ASSERT_TRUE(val) << error;
  EXPECT_EQ(val->classes, 2u);
  EXPECT_EQ(val->labels, (std::vector<uint16_t>{1}));
  const auto scaled = load("folder", "train", {}, "?size=6");
  ASSERT_TRUE(scaled) << error;
  EXPECT_EQ(scaled->imageBytes(), 108u);
  write("train/cat/big.png", png(20, 20, false, smooth));
  refuses("folder", {"big.png: 20x20 pixels, expected 12x8", "?size=N"});
  EXPECT_TRUE(load("folder", "train", {}, "?size=6")) << error;
  EXPECT_FALSE(load("folder", "train", {}, "?size=x"));
  write("val/cow/d.png", png(12, 8, true, smooth));
  refuses("folder", {"val/cow", "does not have"}, "test");
  fs::remove_all(dir / "val");
  refuses("folder", {"no folder test or val"}, "test");
}

TEST_F(Images, TheCacheIsUsedAndRebuilt) {
  tinyImagenet();
  const auto fresh = load("tiny-imagenet");
  ASSERT_EQ(cached().size(), 1u);
  const fs::path file = cached()[0];
  const auto written = fs::last_write_time(file);
  // Read back, not decoded: a change that neither size nor time shows goes unseen, so the cache was what was read.
  const fs::path image = dir / "train/n1/images/n1_0.JPEG";
  const auto time = fs::last_write_time(image);
  const std::string junk(fs::file_size(image), 'x');
  std::ofstream(image, std::ios::binary) << junk;
  fs::last_write_time(image, time);
  auto again = load("tiny-imagenet");
  ASSERT_TRUE(again) << error;
  EXPECT_EQ(again->pixels, fresh->pixels);
  EXPECT_EQ(again->labels, fresh->labels);
  EXPECT_EQ(fs::last_write_time(file), written);
  EXPECT_EQ(load("tiny-imagenet", "train", 3)->labels, (std::vector<uint16_t>{0, 1, 0}));
  // Another time: another key, so the damage is seen.
  fs::last_write_time(image, time + std::chrono::seconds(5));
  refuses("tiny-imagenet", {"n1_0.JPEG"});
  fs::remove_all(dir / "cache");
  // A damaged cache is built anew: one byte changed, then cut short.
  tinyImagenet();
  ASSERT_TRUE(load("tiny-imagenet")) << error;
  const fs::path second = cached().at(0);
  for (bool cut : {false, true}) {
    if (cut) {
      fs::resize_file(second, fs::file_size(second) / 2);
    } else {
      std::fstream stream(second, std::ios::in | std::ios::out | std::ios::binary);
      stream.seekp(5000);
      stream.put('!');
    }
    again = load("tiny-imagenet");
    ASSERT_TRUE(again) << error;
    EXPECT_EQ(again->pixels, fresh->pixels);
    EXPECT_EQ(fs::file_size(second), 32 + 6 * (2 + 3 * 64 * 64u));
  }
}

TEST_F(Images, APlaceThatCannotBeWrittenIsSaidAndEnough) {
  tinyImagenet();
  write("file", "a file where a folder should be");
  setenv("LASNN_CACHE", (dir / "file/cache").c_str(), 1);
  auto set = load("tiny-imagenet");
  ASSERT_TRUE(set) << error;
  ASSERT_EQ(set->notes.size(), 1u);
  EXPECT_NE(set->notes[0].find("LASNN_CACHE"), std::string::npos);
  setenv("LASNN_CACHE", "off", 1);
  set = load("tiny-imagenet");
  ASSERT_TRUE(set) << error;
  EXPECT_TRUE(set->notes.empty());
}

TEST_F(Images, ChecksumsNameTheFileAndTheSum) {
  for (int batch = 1; batch <= 5; ++batch)
    write(fmt::format("data_batch_{}.bin", batch), std::string(3073, char(batch)));
  LoadOptions options;
  options.checksums = true;
  const auto set = load("cifar10", "train", options);
  ASSERT_TRUE(set) << error;
  ASSERT_EQ(set->notes.size(), 5u);
  EXPECT_NE(set->notes[0].find("data_batch_1.bin: MD5"), std::string::npos) << set->notes[0];
  EXPECT_NE(set->notes[0].find("5dd7e06a14cb22eb9f671a540d1b7c25"), std::string::npos) << set->notes[0];
  tinyImagenet();
  EXPECT_NE(load("tiny-imagenet", "train", options)->notes.at(0).find("compared nothing"), std::string::npos);
}

TEST_F(Images, LabelsOutOfRangeAreLeftOutByFlag) {
  write("test_batch.bin", std::string(3073, 3) + std::string(3073, 77) + std::string(3073, 4));
  refuses("cifar10", {"label 77 of image 1", "1 of 3 records"}, "test");
  LoadOptions options;
  options.skipCorrupt = true;
  const auto set = load("cifar10", "test", options);
  ASSERT_TRUE(set) << error;
  EXPECT_EQ(set->labels, (std::vector<uint16_t>{3, 4}));
  EXPECT_EQ(set->image(1)[0], 4);
  EXPECT_EQ(set->pixels.size(), 2u * 3072);
}

TEST(RealChecksums, FashionMnistIsTheStandardOne) {
  const std::string dir = "/usr/share/datasets/fashion-mnist";
  if (!fs::is_directory(dir))
    GTEST_SKIP() << dir << " is absent: apt-get install dataset-fashion-mnist";
  std::string error;
  LoadOptions options;
  options.checksums = true;
  const auto set = lasnn::data::load("fashion-mnist:" + dir, "test", options, error);
  ASSERT_TRUE(set) << error;
  EXPECT_TRUE(set->notes.empty()) << set->notes[0];
}

} // namespace
