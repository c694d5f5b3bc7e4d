#include "bot/webhook/health.h"

namespace swage {
namespace {

constexpr std::chrono::seconds kFreshFor{1};

}  // namespace

// One thread a second asks the store; the others say what it found.
bool Health::StoreAnswers() {
  if (std::unique_lock lock(mutex_, std::try_to_lock); lock.owns_lock()) {
    const MonotonicTime now = clock_.Monotonic();
    if (checked_ == MonotonicTime{} || now >= checked_ + kFreshFor) {
      healthy_ = store_.Counts().ok();
      checked_ = clock_.Monotonic();
    }
  }
  return healthy_;
}

WebResponse Health::Answer(std::string_view path) {
  const bool store = StoreAnswers();
  if (path == "/healthz") {
    return store ? TextResponse(200, "ok") : TextResponse(503, "the store does not answer");
  }
  bool ready = store && !stopping_;
  std::string lines = store ? "store: ok" : "store: does not answer";
  if (stopping_) lines += "\nprocess: stopping";
  for (const auto& [role, check] : roles_) {
    const Result<void> well = check();
    ready = ready && well.ok();
    lines += "\n" + role + ": " + (well.ok() ? "ok" : well.error().message);
  }
  return TextResponse(ready ? 200 : 503, std::move(lines));
}

}  // namespace swage
