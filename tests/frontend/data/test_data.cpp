// Readers of data sets: well-formed files give the right bytes, and every malformed one a message that helps.
#include "tests/frontend/data/folder.h"

#include <zlib.h>

using lasnn::data::Dataset;

namespace {

class Data : public Folder {
protected:
  void writeGz(const std::string &name, const std::string &bytes) {
    gzFile file = gzopen((dir / name).c_str(), "wb");
    gzwrite(file, bytes.data(), unsigned(bytes.size()));
    gzclose(file);
  }
};

std::string word(uint32_t x) { return {char(x >> 24), char(x >> 16), char(x >> 8), char(x)}; }
std::string idxImages(uint32_t n, uint32_t h = 28, uint32_t w = 28) {
  std::string s = word(0x803) + word(n) + word(h) + word(w);
  for (uint32_t i = 0; i < n * h * w; ++i)
    s += char(i % 251);
  return s;
}
std::string idxLabels(uint32_t n, char last = 3) {
  std::string s = word(0x801) + word(n);
  for (uint32_t i = 0; i < n; ++i)
    s += i + 1 == n ? last : char(i % 10);
  return s;
}
std::string npy(const std::string &descr, const std::string &shape, const std::string &data, const std::string &order = "False") {
  std::string head = fmt::format("{{'descr': '{}', 'fortran_order': {}, 'shape': {}, }}", descr, order, shape);
  head.resize((head.size() + 10 + 64) / 64 * 64 - 10, ' ');
  return std::string("\x93NUMPY\x01\x00", 8) + char(head.size() & 255) + char(head.size() >> 8) + head + data;
}

const char *const images = "train-images-idx3-ubyte", *const labels = "train-labels-idx1-ubyte";

TEST_F(Data, IdxPlainAndPackedAgree) {
  write(images, idxImages(5)), write(labels, idxLabels(5));
  const auto plain = load("fashion-mnist");
  ASSERT_TRUE(plain) << error;
  EXPECT_EQ(plain->count, 5u);
  EXPECT_EQ(plain->image(1)[0], 28 * 28 % 251);
  EXPECT_EQ(plain->labels, (std::vector<uint16_t>{0, 1, 2, 3, 3}));
  fs::remove(dir / images), fs::remove(dir / labels);
  writeGz(std::string(images) + ".gz", idxImages(5)), writeGz(std::string(labels) + ".gz", idxLabels(5));
  const auto packed = load("fashion-mnist");
  ASSERT_TRUE(packed) << error;
  EXPECT_EQ(packed->pixels, plain->pixels);
  EXPECT_EQ(packed->labels, plain->labels);
}

TEST_F(Data, LimitKeepsTheFirst) {
  write(images, idxImages(5)), write(labels, idxLabels(5));
  const auto set = load("mnist", "train", 2);
  ASSERT_TRUE(set) << error;
  EXPECT_EQ(set->count, 2u);
  EXPECT_EQ(set->pixels.size(), 2u * 784);
  EXPECT_EQ(set->labels.size(), 2u);
  EXPECT_EQ(load("mnist", "train", 99)->count, 5u);
}

TEST_F(Data, SpecIsChecked) {
  for (const char *spec : {"", "fashion-mnist", ":dir", "fashion-mnist:"})
    EXPECT_FALSE(lasnn::data::load(spec, "train", 0, error)) << spec;
  EXPECT_NE(error.find("SET:DIR"), std::string::npos);
  refuses("imagenet", {"imagenet", "known are", "cifar10"});
  refuses("mnist", {"validation", "train, test"}, "validation");
  EXPECT_FALSE(lasnn::data::load("mnist:/nowhere/at/all", "train", 0, error));
  EXPECT_NE(error.find("/nowhere/at/all: no such folder"), std::string::npos);
}

TEST_F(Data, IdxRefusesMalformedFiles) {
  refuses("mnist", {images, "exists"});
  write(labels, idxLabels(3));
  write(images, "abc");
  refuses("mnist", {"3 bytes", "takes 16"});
  write(images, word(0x801) + idxImages(3).substr(4));
  refuses("mnist", {"0x00000801", "0x00000803"});
  write(images, idxImages(3).substr(0, 1000));
  refuses("mnist", {"2352", "984", "cut short"});
  write(images, idxImages(3) + "x");
  refuses("mnist", {"2353", "followed by other bytes"});
  write(images, idxImages(3, 32, 32));
  refuses("mnist", {"32 x 32", "28 x 28"});
  write(images, word(0x803) + word(0xffffffff) + word(0xffffffff) + word(0xffffffff)); // sizes whose product overflows
  refuses("mnist", {"cut short"});
  write(images, idxImages(4));
  refuses("mnist", {"4 images", "3 labels"});
  write(images, idxImages(3)), write(labels, idxLabels(3, 10));
  refuses("mnist", {"label 10", "image 2", "0 to 9"});
  write(images, idxImages(0)), write(labels, idxLabels(0));
  refuses("mnist", {"empty"});
  fs::remove(dir / images);
  fs::create_directory(dir / images);
  refuses("mnist", {images});
}

TEST_F(Data, DamagedGzipIsNamed) {
  writeGz("whole", idxImages(50));
  std::ifstream file(dir / "whole", std::ios::binary);
  const std::string packed((std::istreambuf_iterator<char>(file)), {});
  write(labels, idxLabels(50));
  write(std::string(images) + ".gz", packed.substr(0, packed.size() / 2));
  refuses("mnist", {"ubyte.gz", "damaged gzip"});
}

TEST_F(Data, Cifar10And100) {
  for (int batch = 1; batch <= 5; ++batch)
    write(fmt::format("data_batch_{}.bin", batch), std::string(1, char(batch)) + std::string(3072, char(batch * 10)));
  const auto ten = load("cifar10");
  ASSERT_TRUE(ten) << error;
  EXPECT_EQ(ten->count, 5u);
  EXPECT_EQ(ten->labels[4], 5);
  EXPECT_EQ(ten->image(4)[3071], 50);
  refuses("cifar10", {"test_batch.bin"}, "test");
  write("test_batch.bin", std::string(3000, 0));
  refuses("cifar10", {"3000", "3073"}, "test");
  write("test_batch.bin", std::string(1, 10) + std::string(3072, 0));
  refuses("cifar10", {"label 10"}, "test");
  write("train.bin", std::string("\x05\x63", 2) + std::string(3072, 7)); // coarse 5, fine 99
  const auto hundred = load("cifar100");
  ASSERT_TRUE(hundred) << error;
  EXPECT_EQ(hundred->labels[0], 99);
  EXPECT_EQ(hundred->image(0)[0], 7);
}

TEST_F(Data, Npy) {
  write("train_images.npy", npy("|u1", "(2, 3, 2, 2)", std::string(24, 9)));
  write("train_labels.npy", npy("<i8", "(2,)", std::string("\x01\0\0\0\0\0\0\0\x04\0\0\0\0\0\0\0", 16)));
  write("test_labels.npy", npy("|u1", "(1,)", "\x06"));
  const auto set = load("npy");
  ASSERT_TRUE(set) << error;
  EXPECT_EQ(set->channels, 3u);
  EXPECT_EQ(set->classes, 7u) << "the other split's labels count too";
  EXPECT_EQ(set->labels, (std::vector<uint16_t>{1, 4}));
  EXPECT_EQ(set->mean.size(), 3u);
  write("train_images.npy", npy("|u1", "(2, 4, 4)", std::string(32, 9)));
  ASSERT_TRUE(load("npy"));
  EXPECT_EQ(load("npy")->channels, 1u);
  write("train_images.npy", npy("|u1", "(3, 4, 4)", std::string(48, 9)));
  refuses("npy", {"3 images", "2 labels"});
}

TEST_F(Data, NpyRefusesMalformedFiles) {
  write("train_labels.npy", npy("|u1", "(2,)", "\1\2"));
  refuses("npy", {"train_images.npy", "no such file"});
  for (const auto &[bytes, what] : std::initializer_list<std::pair<std::string, std::string>>{
           {"hello world", "magic"},
           {std::string("\x93NUMPY\x01\x00\xff\xff", 10), "65535"},
           {std::string("\x93NUMPY\x02\x00\x00\x00", 10), "ends inside"},
           {npy("<f4", "(2, 2, 2)", std::string(32, 0)), "<f4"},
           {npy("|u1", "(2, 2, 2)", std::string(7, 0)), "cut short"},
           {npy("|u1", "(2, 2, 2)", std::string(9, 0)), "other bytes"},
           {npy("|u1", "(2, 2)", std::string(4, 0)), "(2, 2)"},
           {npy("|u1", "(2, x, 2)", std::string(8, 0)), "shape"},
           {npy("|u1", "(2, 0, 2)", ""), "size 0"},
           {npy("|u1", "(99999999999, 99999999999, 99999999999)", "a"), "cut short"},
           {npy("|u1", "(2, 2, 2)", std::string(8, 0), "True"), "fortran_order"}}) {
    write("train_images.npy", bytes);
    refuses("npy", {what});
  }
  write("train_images.npy", npy("|u1", "(2, 2, 2)", std::string(8, 0)));
  write("train_labels.npy", npy("<i4", "(2,)", std::string(8, '\xff')));
  refuses("npy", {"train_labels.npy", "label -1", "index 0"}); // the sign is kept in the message
}

TEST(FashionMnist, RealFiles) {
  const std::string dir = "/usr/share/datasets/fashion-mnist";
  if (!fs::is_directory(dir))
    GTEST_SKIP() << dir << " is absent: apt-get install dataset-fashion-mnist";
  std::string error;
  const auto train = lasnn::data::load("fashion-mnist:" + dir, "train", 0, error);
  ASSERT_TRUE(train) << error;
  EXPECT_EQ(train->count, 60000u);
  const auto test = lasnn::data::load("fashion-mnist:" + dir, "test", 0, error);
  ASSERT_TRUE(test) << error;
  EXPECT_EQ(test->count, 10000u);
  EXPECT_EQ(test->labels[0], 9); // an ankle boot
  double sum = 0;
  for (uint8_t p : train->pixels)
    sum += p;
  EXPECT_NEAR(sum / double(train->pixels.size()) / 255, train->mean[0], 5e-4);
}

} // namespace
