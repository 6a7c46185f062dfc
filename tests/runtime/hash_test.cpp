// XXH64 against the reference library and against vectors of the specification's implementation.
#include "lasnn/lasnn.h"

#include <gtest/gtest.h>
#include <random>
#include <vector>
#include <xxhash.h>

TEST(Hash, KnownVectors) {
  EXPECT_EQ(lasnn_hash64("", 0, 0), 0xEF46DB3751D8E999u);
  EXPECT_EQ(lasnn_hash64("a", 1, 0), 0xD24EC4F1A98C6E5Bu);
  EXPECT_EQ(lasnn_hash64("abc", 3, 0), 0x44BC2CF5AD770999u);
}

TEST(Hash, EqualsTheReferenceLibraryAtEveryLengthAndAlignment) {
  std::mt19937_64 random(3);
  std::vector<uint8_t> data(400);
  for (uint8_t &byte : data)
    byte = uint8_t(random());
  for (size_t offset = 0; offset < 8; ++offset)
    for (size_t size = 0; size + offset <= data.size(); ++size) {
      const uint64_t seed = size % 3 ? random() : 0;
      ASSERT_EQ(lasnn_hash64(data.data() + offset, size, seed), XXH64(data.data() + offset, size, seed)) << size << " at " << offset;
    }
}
