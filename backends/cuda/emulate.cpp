#include "backends/cuda/emulate.h"

#include <ucontext.h>

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

namespace lasnn::cuda {

thread_local Dim threadIdx, blockIdx;

namespace {

constexpr uint32_t lanesPerWarp = 32;
constexpr size_t stackBytes = 256 << 10;
constexpr uint8_t unwritten = 0xA5; // what shared memory holds before it is written, and while a copy is on its way

enum class State { Ready, InWarp, InBlock, Done };

struct Copy {
  uint8_t *to;
  const uint8_t *from;
  uint32_t group;
};

struct Fiber {
  ucontext_t context;
  char *stack = nullptr;
  State state = State::Ready;
  void *operand = nullptr;
  std::vector<Copy> copies;
  uint32_t group = 0;    // of copies, committed so far
  bool unfenced = false; // copies arrived, and products may not see them yet
};

struct Block {
  std::vector<Fiber> fibers;
  std::vector<uint8_t> shared;
  std::vector<Product> products;
  bool fenced = false, committed = false; // the warpgroup's registers; its products
  ucontext_t scheduler;
  const std::function<void()> *kernel = nullptr;
  uint32_t running = 0;
  void (*together)(void *const *) = nullptr;
  void (*together_block)(void *const *) = nullptr;
};
thread_local Block *current = nullptr;
thread_local std::vector<std::unique_ptr<char[]>> stacks; // of fibers, kept from launch to launch: their pages are touched once

[[noreturn]] __attribute__((format(printf, 1, 2))) void fail(const char *format, ...) {
  std::fprintf(stderr, "cuda emulation: block %u, thread %u: ", blockIdx.x, threadIdx.x);
  va_list arguments;
  va_start(arguments, format);
  std::vfprintf(stderr, format, arguments);
  va_end(arguments);
  std::fputc('\n', stderr);
  std::abort();
}

void enter() {
  Fiber &fiber = current->fibers[current->running];
  (*current->kernel)();
  if (!fiber.copies.empty()) fail("leaves with %zu copies that it did not wait for", fiber.copies.size());
  fiber.state = State::Done;
  swapcontext(&fiber.context, &current->scheduler); // never comes back
}

void start(Fiber &fiber) {
  getcontext(&fiber.context);
  fiber.context.uc_stack.ss_sp = fiber.stack;
  fiber.context.uc_stack.ss_size = stackBytes;
  fiber.context.uc_link = nullptr;
  makecontext(&fiber.context, enter, 0);
  fiber.state = State::Ready, fiber.group = 0, fiber.unfenced = false;
}

/// Threads [first, end) that are all in `state` go on together; false where none is. Some in it and some gone is an error.
bool release(Block &block, uint32_t first, uint32_t end, State state, void (*together)(void *const *)) {
  uint32_t waiting = 0;
  for (uint32_t i = first; i < end; ++i)
    waiting += block.fibers[i].state == state;
  if (waiting == 0) return false;
  void *operands[1024];
  for (uint32_t i = first; i < end; ++i) {
    if (block.fibers[i].state != state)
      fail("threads %u to %u: %u of them wait, and thread %u %s", first, end - 1, waiting, i,
           block.fibers[i].state == State::Done ? "has left" : "waits elsewhere");
    operands[i - first] = block.fibers[i].operand, block.fibers[i].state = State::Ready;
  }
  together(operands);
  return true;
}

void runWarp(Block &block, uint32_t first) {
  do {
    for (uint32_t i = first; i < first + lanesPerWarp; ++i)
      if (block.fibers[i].state == State::Ready) {
        block.running = threadIdx.x = i;
        swapcontext(&block.scheduler, &block.fibers[i].context);
      }
  } while (release(block, first, first + lanesPerWarp, State::InWarp, block.together));
}

void meet(State state, void *mine) {
  Fiber &fiber = current->fibers[current->running];
  fiber.operand = mine, fiber.state = state;
  swapcontext(&fiber.context, &current->scheduler);
}

/// The byte k of column n of a matrix without swizzle, K innermost: core matrices of 8 columns by 16 bytes, one after another along K by
/// the leading offset, along N by the stride offset (PTX ISA, "Asynchronous Warpgroup Level Matrix Shared Memory Layout", "Matrix
/// Descriptor Format").
int32_t byteThrough(uint64_t descriptor, uint32_t n, uint32_t k) {
  if (descriptor >> 62 || (descriptor >> 49 & 7))
    fail("matrix descriptor %llx: swizzle or a base offset, which no kernel uses", static_cast<unsigned long long>(descriptor));
  const auto field = [&](uint32_t at) { return uint32_t(descriptor >> at & 0x3fff) << 4; };
  return int8_t(*sharedAt(field(0) + n / 8 * field(32) + k / 16 * field(16) + n % 8 * 16 + k % 16, 1));
}

void compute(const Product &p) {
  std::vector<int32_t> right(p.columns * 32);
  for (uint32_t n = 0; n < p.columns; ++n)
    for (uint32_t k = 0; k < 32; ++k)
      right[n * 32 + k] = byteThrough(p.b, n, k);
  for (uint32_t warp = 0; warp < 4; ++warp)
    for (uint32_t row = 0; row < 16; ++row) {
      int32_t left[32];
      for (uint32_t k = 0; k < 32; ++k) {
        const uint32_t word = p.a[warp * 32 + row % 8 * 4 + k % 16 / 4][row / 8 + k / 16 * 2];
        left[k] = p.left_signed ? int32_t(int8_t(word >> (k % 4 * 8))) : int32_t(uint8_t(word >> (k % 4 * 8)));
      }
      for (uint32_t n = 0; n < p.columns; ++n) {
        int32_t sum = 0;
        for (uint32_t k = 0; k < 32; ++k)
          sum += left[k] * right[n * 32 + k];
        p.d[warp * 32 + row % 8 * 4 + n % 8 / 2][n / 8 * 4 + row / 8 * 2 + n % 2] += sum;
      }
    }
}

} // namespace

void meetWarp(void *mine, void (*together)(void *const *)) {
  current->together = together;
  meet(State::InWarp, mine);
}

void meetBlock(void *mine, void (*together)(void *const *)) {
  current->together_block = together;
  meet(State::InBlock, mine);
}

uint8_t *sharedMemory() { return current->shared.data(); }

uint32_t sharedAddress(const void *at, uint32_t bytes) {
  const auto offset = static_cast<const uint8_t *>(at) - current->shared.data();
  if (offset < 0 || size_t(offset) + bytes > current->shared.size())
    fail("%u bytes at %lld of %zu bytes of shared memory", bytes, static_cast<long long>(offset), current->shared.size());
  return sharedBase + uint32_t(offset);
}

const uint8_t *sharedAt(uint32_t address, uint32_t bytes) {
  if (address < sharedBase || address - sharedBase + bytes > current->shared.size())
    fail("%u bytes at address %u of %zu bytes of shared memory from %u on", bytes, address, current->shared.size(), sharedBase);
  return current->shared.data() + (address - sharedBase);
}

void copyAsync16(void *shared, const void *global) {
  Fiber &fiber = current->fibers[current->running];
  if (sharedAddress(shared, 16) % 16 || reinterpret_cast<uintptr_t>(global) % 16) fail("a copy of 16 bytes that is not aligned to 16");
  std::memset(shared, unwritten, 16);
  fiber.copies.push_back({static_cast<uint8_t *>(shared), static_cast<const uint8_t *>(global), fiber.group});
}

void commitCopies() { ++current->fibers[current->running].group; }

void waitCopiesBut(uint32_t groups) {
  Fiber &fiber = current->fibers[current->running];
  size_t done = 0;
  for (; done < fiber.copies.size() && fiber.copies[done].group + groups < fiber.group; ++done)
    std::memcpy(fiber.copies[done].to, fiber.copies[done].from, 16);
  fiber.unfenced |= done > 0;
  fiber.copies.erase(fiber.copies.begin(), fiber.copies.begin() + std::ptrdiff_t(done));
}

void fenceShared() { current->fibers[current->running].unfenced = false; }
void fenceProducts() {
  meetBlock(nullptr, [](void *const *) { current->fenced = true; });
}
void commitProducts() {
  meetBlock(nullptr, [](void *const *) { current->committed = true; });
}

void issueProduct(const Product &product) {
  if (!current->fenced) fail("a warpgroup's product without a fence before it");
  for (const Fiber &fiber : current->fibers)
    if (fiber.unfenced) fail("a warpgroup's product with copies in shared memory that no fence made visible to it");
  current->products.push_back(product);
  current->committed = false;
}

void waitProducts() {
  meetBlock(nullptr, [](void *const *) {
    if (!current->committed) fail("waits for products that are not committed");
    for (const Product &product : current->products)
      compute(product);
    current->products.clear();
    current->fenced = false;
  });
}

void emulate(uint32_t blocks, uint32_t threads, uint32_t shared_bytes, const std::function<void()> &kernel) {
  Block block;
  block.kernel = &kernel;
  block.fibers.resize((threads + lanesPerWarp - 1) / lanesPerWarp * lanesPerWarp);
  while (stacks.size() < block.fibers.size())
    stacks.emplace_back(new char[stackBytes]);
  for (size_t i = 0; i < block.fibers.size(); ++i)
    block.fibers[i].stack = stacks[i].get();
  current = &block;
  const auto count = uint32_t(block.fibers.size());
  for (blockIdx.x = 0; blockIdx.x < blocks; ++blockIdx.x) {
    block.shared.assign(shared_bytes, unwritten);
    for (Fiber &fiber : block.fibers)
      start(fiber);
    do {
      for (uint32_t first = 0; first < count; first += lanesPerWarp)
        runWarp(block, first);
    } while (release(block, 0, count, State::InBlock, block.together_block));
    if (!block.products.empty()) fail("a block leaves with %zu products that it did not wait for", block.products.size());
  }
  current = nullptr;
}

} // namespace lasnn::cuda
