// Sizes of encoded lists: NxTF's own test values, the rule of words, and lists that come back as they were.
#include "backends/loihi/encode/list.h"

#include <gtest/gtest.h>
#include <random>

using namespace lasnn::loihi;

namespace {

Chip loihi1() { return *loadChip("loihi1").chip; }

TEST(Encode, SparseTakesTheBitsThatNxtfsTestExpects) {
  const std::vector<ListSynapse> list = {{0, 1}, {5, 2}, {6, 3}, {11, 4}};
  const auto bits = listBits(list, {lmap::SPARSE, 6, 0, 8, 0}, loihi1());
  ASSERT_TRUE(bits);
  EXPECT_EQ(bits->total(), 66u);
}

TEST(Encode, RunlengthTakesTheBitsThatNxtfsTestExpects) {
  const std::vector<ListSynapse> list = {{100, 1}, {105, 2}, {106, 3}, {111, 4}};
  const auto bits = listBits(list, {lmap::RUNLENGTH, 7, 3, 8, 0}, loihi1());
  ASSERT_TRUE(bits);
  EXPECT_EQ(bits->total(), 61u);
}

TEST(Encode, AWordMoreWhereFewerThanSixBitsAreLeft) {
  EXPECT_EQ(wordsOf(58), 1u);
  EXPECT_EQ(wordsOf(59), 2u);
  EXPECT_EQ(wordsOf(61), 2u);
  EXPECT_EQ(wordsOf(64), 2u);
  EXPECT_EQ(wordsOf(66), 2u);
  EXPECT_EQ(wordsOf(64 * 3 + 58), 4u);
}

TEST(Encode, EntriesBreakAtSixtySynapsesAndAtWideGaps) {
  std::vector<ListSynapse> list;
  for (uint32_t i = 0; i < 61; ++i)
    list.push_back({i, 1});
  EXPECT_EQ(listBits(list, {lmap::DENSE, 6, 0, 8, 0}, loihi1())->entries, 2u);
  const std::vector<ListSynapse> wide = {{0, 1}, {31, 1}, {63, 1}};
  EXPECT_EQ(listBits(wide, {lmap::RUNLENGTH, 6, 5, 8, 0}, loihi1())->entries, 2u); // 31 fits in 5 bits, 32 does not
  EXPECT_FALSE(listBits(wide, {lmap::SPARSE, 0, 0, 8, 0}, loihi1()));
}

TEST(Encode, IndexWidthsAreTheLegalOnes) {
  EXPECT_EQ(legalBits(loihi1().bits.index, 0), 0u);
  EXPECT_EQ(legalBits(loihi1().bits.index, 1), 6u);
  EXPECT_EQ(legalBits(loihi1().bits.index, 64), 7u);
  EXPECT_EQ(legalBits(loihi1().bits.weight, 127), 8u); // 7 does not exist
}

TEST(Encode, EveryEncodingGivesTheListBack) {
  std::mt19937 random(7);
  const Chip chip = loihi1();
  for (uint32_t trial = 0; trial < 2000; ++trial) {
    lmap::SynapseFormat f;
    f.set_encoding(lmap::Encoding(trial % 3));
    f.set_weight_bits(std::vector<uint32_t>{1, 2, 3, 4, 5, 6, 8}[random() % 7]);
    f.set_delay_bits(random() % 7);
    f.set_index_bits(10);
    f.set_skip_bits(trial % 3 == 1 ? 2 + random() % 4 : 0);
    f.set_sign(random() % 2 && f.weight_bits() > 1 ? lmap::MIXED : lmap::EXCITATORY);
    const uint32_t delay = random() % (1u << f.delay_bits());
    std::vector<ListSynapse> list;
    for (uint32_t index = random() % 50; index < 1024; index += 1 + random() % (1 + random() % 60)) {
      const int32_t top = f.sign() == lmap::MIXED ? (1 << (f.weight_bits() - 1)) - 1 : (1 << f.weight_bits()) - 1;
      const int32_t weight = 1 + int32_t(random() % uint32_t(top));
      list.push_back({index, f.sign() == lmap::MIXED && random() % 2 ? -weight : weight});
    }
    const ListFormat plain{f.encoding(), f.index_bits(), f.skip_bits(), f.weight_bits(), f.delay_bits()};
    std::vector<uint64_t> words(3, 0);
    writeList(list, plain, 2, delay, chip, words);
    const auto bits = listBits(list, plain, chip);
    ASSERT_TRUE(bits);
    ASSERT_EQ(words.size() - 3, wordsOf(bits->total())) << trial;
    std::vector<DecodedSynapse> back;
    ASSERT_TRUE(readList(words, 3, uint32_t(words.size() - 3), {{}, f}, chip, back)) << trial;
    ASSERT_EQ(back.size(), list.size()) << trial;
    for (size_t i = 0; i < list.size(); ++i) {
      ASSERT_EQ(back[i].index, list[i].index) << trial;
      ASSERT_EQ(back[i].weight, list[i].weight) << trial;
      ASSERT_EQ(back[i].delay, delay);
    }
  }
}

TEST(Encode, TheCheapestEncodingIsChosen) {
  const Chip chip = loihi1();
  std::vector<ListSynapse> full, strided, scattered;
  for (uint32_t i = 0; i < 300; ++i)
    full.push_back({i, 3});
  for (uint32_t i = 0; i < 100; ++i)
    strided.push_back({i * 9, 3});
  for (uint32_t i = 0; i < 20; ++i)
    scattered.push_back({i * 50, 3});
  EXPECT_EQ(bestFormat({full}, {1}, 8, 0, chip).encoding, lmap::DENSE);
  EXPECT_EQ(bestFormat({strided}, {1}, 8, 0, chip).encoding, lmap::RUNLENGTH);
  EXPECT_EQ(bestFormat({scattered}, {1}, 8, 0, chip).encoding, lmap::SPARSE);
}

} // namespace
