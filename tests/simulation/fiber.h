// Fiber: a piece of code with a stack of its own, which runs only while it is resumed.
//
// Blocking code (a worker, a publisher) becomes steppable without being rewritten: where it would
// wait it yields, and whoever resumes it decides when it goes on. One thread; fibers do not nest.
#pragma once

#include <ucontext.h>

#include <cstddef>
#include <functional>

namespace swage::simulation {

class Fiber {
 public:
  explicit Fiber(std::function<void()> body);
  /// It has ended by then.
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// Runs until the body yields or ends. Not from inside a fiber.
  void Resume();
  /// Back to Resume. From inside this fiber only.
  void Yield();
  bool done() const { return done_; }

 private:
  static void Enter();
  void Leave(bool for_good);

  std::function<void()> body_;
  ucontext_t inside_{};
  ucontext_t outside_{};
  void* stack_ = nullptr;
  bool done_ = false;
  // What AddressSanitizer wants to know of the two stacks.
  void* fake_inside_ = nullptr;
  void* fake_outside_ = nullptr;
  const void* outside_bottom_ = nullptr;
  std::size_t outside_size_ = 0;
};

}  // namespace swage::simulation
