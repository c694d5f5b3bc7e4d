#include "tests/simulation/fiber.h"

#include <sys/mman.h>

#include <utility>
#include <vector>

#include "config/base/result.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

namespace swage::simulation {
namespace {

constexpr std::size_t kStackBytes = 512 << 10;
constexpr std::size_t kGuardBytes = 4096;

Fiber* g_entering = nullptr;

// Stacks are used again: a simulation starts thousands of fibers.
class Stacks {
 public:
  ~Stacks() {
    for (void* stack : free_) munmap(stack, kStackBytes);
  }
  void* Take() {
    if (!free_.empty()) {
      void* stack = free_.back();
      free_.pop_back();
      return stack;
    }
    void* stack = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    SWAGE_CHECK(stack != MAP_FAILED);
    SWAGE_CHECK(mprotect(stack, kGuardBytes, PROT_NONE) == 0);
    return stack;
  }
  void Give(void* stack) { free_.push_back(stack); }

 private:
  std::vector<void*> free_;
};

Stacks& AllStacks() {
  static Stacks stacks;
  return stacks;
}

void StartSwitch([[maybe_unused]] void** fake, [[maybe_unused]] const void* bottom,
                 [[maybe_unused]] std::size_t size) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(fake, bottom, size);
#endif
}

void FinishSwitch([[maybe_unused]] void* fake, [[maybe_unused]] const void** bottom,
                  [[maybe_unused]] std::size_t* size) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(fake, bottom, size);
#endif
}

}  // namespace

Fiber::Fiber(std::function<void()> body) : body_(std::move(body)), stack_(AllStacks().Take()) {
  getcontext(&inside_);
  inside_.uc_stack.ss_sp = stack_;
  inside_.uc_stack.ss_size = kStackBytes;
  inside_.uc_link = nullptr;
  makecontext(&inside_, &Fiber::Enter, 0);
}

Fiber::~Fiber() {
  SWAGE_CHECK(done_);
  AllStacks().Give(stack_);
}

void Fiber::Resume() {
  SWAGE_CHECK(!done_);
  g_entering = this;
  StartSwitch(&fake_outside_, stack_, kStackBytes);
  swapcontext(&outside_, &inside_);
  FinishSwitch(fake_outside_, nullptr, nullptr);
}

void Fiber::Yield() {
  Leave(false);
}

void Fiber::Enter() {
  Fiber* self = g_entering;
  FinishSwitch(nullptr, &self->outside_bottom_, &self->outside_size_);
  self->body_();
  self->body_ = nullptr;
  self->done_ = true;
  self->Leave(true);
}

void Fiber::Leave(bool for_good) {
  StartSwitch(for_good ? nullptr : &fake_inside_, outside_bottom_, outside_size_);
  swapcontext(&inside_, &outside_);
  FinishSwitch(fake_inside_, &outside_bottom_, &outside_size_);
}

}  // namespace swage::simulation
