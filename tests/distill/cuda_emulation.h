// Enough of CUDA to run a kernel file on the CPU: blocks are a loop, and a block's threads are fibers that run one after another up to
// the next __syncthreads(). Threads of a block share its static variables, so the next block begins when this one has ended.
#pragma once

#include <ucontext.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#define __global__
#define __device__
#define __shared__ static
#define __launch_bounds__(...)
#define LASNN_UNROLL
#define LASNN_UNROLL_FOUR

struct EmulatedDim {
  unsigned x = 0;
};
inline EmulatedDim blockIdx, threadIdx, blockDim;

class EmulatedBlock {
public:
  explicit EmulatedBlock(unsigned threads) : fibers_(threads) {
    for (Fiber &fiber : fibers_)
      fiber.stack = std::make_unique<char[]>(stackBytes);
  }
  void run(const std::function<void()> &kernel) {
    kernel_ = &kernel;
    for (Fiber &fiber : fibers_) {
      getcontext(&fiber.context);
      fiber.context.uc_stack.ss_sp = fiber.stack.get(), fiber.context.uc_stack.ss_size = stackBytes, fiber.context.uc_link = &scheduler_;
      makecontext(&fiber.context, enter, 0);
      fiber.done = false;
    }
    EmulatedBlock *const outer = std::exchange(current, this);
    for (size_t left = fibers_.size(); left > 0;) {
      const size_t before = left;
      for (running_ = 0; running_ < fibers_.size(); ++running_)
        if (!fibers_[running_].done) {
          threadIdx.x = running_;
          swapcontext(&scheduler_, &fibers_[running_].context);
          left -= fibers_[running_].done;
        }
      if (left > 0 && left != before && before != fibers_.size()) { // CUDA leaves a barrier that some threads never reach undefined
        std::fprintf(stderr, "cuda emulation: block %u: some threads left while others wait for them\n", blockIdx.x);
        std::abort();
      }
    }
    current = outer;
  }
  static void barrier() { swapcontext(&current->fibers_[current->running_].context, &current->scheduler_); }

private:
  static constexpr size_t stackBytes = 128 << 10;
  struct Fiber {
    ucontext_t context;
    std::unique_ptr<char[]> stack;
    bool done = false;
  };
  static void enter() {
    (*current->kernel_)();
    current->fibers_[current->running_].done = true;
  }
  static inline EmulatedBlock *current = nullptr;
  std::vector<Fiber> fibers_;
  ucontext_t scheduler_;
  const std::function<void()> *kernel_ = nullptr;
  unsigned running_ = 0;
};

inline void __syncthreads() { EmulatedBlock::barrier(); }

inline void emulate(unsigned blocks, unsigned threads, const std::function<void()> &body) {
  blockDim.x = threads;
  static std::unique_ptr<EmulatedBlock> block;
  static unsigned size = 0;
  if (size != threads)
    block = std::make_unique<EmulatedBlock>(threads), size = threads;
  for (blockIdx.x = 0; blockIdx.x < blocks; ++blockIdx.x)
    block->run(body);
}

#define LASNN_UNPACK(...) __VA_ARGS__
#define LASNN_LAUNCH(kernel, blocks, threads, stream, ...) \
  do { (void)(stream); emulate(blocks, threads, [&] { LASNN_UNPACK kernel(__VA_ARGS__); }); } while (false)
#define LASNN_LAUNCHED() 0
