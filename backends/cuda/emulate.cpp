#include "backends/cuda/emulate.h"

#include <ucontext.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

namespace lasnn::cuda {

thread_local Dim threadIdx, blockIdx;

namespace {

constexpr uint32_t lanesPerWarp = 32;
constexpr size_t stackBytes = 256 << 10;

enum class State { Ready, Waiting, Done };

struct Fiber {
  ucontext_t context;
  std::unique_ptr<char[]> stack;
  State state = State::Ready;
  void *operand = nullptr;
};

struct Block {
  std::vector<Fiber> fibers;
  ucontext_t scheduler;
  const std::function<void()> *kernel = nullptr;
  uint32_t running = 0;
  void (*together)(void *const *) = nullptr;
};
thread_local Block *current = nullptr;

void enter() {
  (*current->kernel)();
  current->fibers[current->running].state = State::Done;
  swapcontext(&current->fibers[current->running].context, &current->scheduler); // never comes back
}

[[noreturn]] void fail(uint32_t warp) {
  std::fprintf(stderr, "cuda emulation: block %u, warp %u: some lanes left while others wait for them\n", blockIdx.x, warp);
  std::abort();
}

void runWarp(Block &block, uint32_t first) {
  for (;;) {
    uint32_t waiting = 0;
    for (uint32_t i = first; i < first + lanesPerWarp; ++i) {
      Fiber &fiber = block.fibers[i];
      if (fiber.state == State::Ready) {
        block.running = threadIdx.x = i;
        swapcontext(&block.scheduler, &fiber.context);
      }
      waiting += fiber.state == State::Waiting;
    }
    if (waiting == 0)
      return;
    if (waiting != lanesPerWarp)
      fail(first / lanesPerWarp);
    void *operands[lanesPerWarp];
    for (uint32_t i = 0; i < lanesPerWarp; ++i)
      operands[i] = block.fibers[first + i].operand, block.fibers[first + i].state = State::Ready;
    block.together(operands);
  }
}

} // namespace

void meet(void *mine, void (*together)(void *const *)) {
  Fiber &fiber = current->fibers[current->running];
  fiber.operand = mine, fiber.state = State::Waiting;
  current->together = together;
  swapcontext(&fiber.context, &current->scheduler);
}

void emulate(uint32_t blocks, uint32_t threads, const std::function<void()> &kernel) {
  Block block;
  block.kernel = &kernel;
  block.fibers.resize((threads + lanesPerWarp - 1) / lanesPerWarp * lanesPerWarp);
  for (Fiber &fiber : block.fibers)
    fiber.stack.reset(new char[stackBytes]);
  current = &block;
  for (blockIdx.x = 0; blockIdx.x < blocks; ++blockIdx.x) {
    for (Fiber &fiber : block.fibers) {
      getcontext(&fiber.context);
      fiber.context.uc_stack.ss_sp = fiber.stack.get();
      fiber.context.uc_stack.ss_size = stackBytes;
      fiber.context.uc_link = nullptr;
      makecontext(&fiber.context, enter, 0);
      fiber.state = State::Ready;
    }
    for (uint32_t first = 0; first < block.fibers.size(); first += lanesPerWarp)
      runWarp(block, first);
  }
  current = nullptr;
}

} // namespace lasnn::cuda
