#include "bot/webhook/health.h"

namespace swage {
namespace {

constexpr std::chrono::seconds kFreshFor{1};
constexpr int kMaxAlarms = 20;

}  // namespace

// One thread a second asks the store; the others say what it found.
bool Health::StoreAnswers() {
  if (std::unique_lock lock(mutex_, std::try_to_lock); lock.owns_lock()) {
    const MonotonicTime now = clock_.Monotonic();
    if (checked_ == MonotonicTime{} || now >= checked_ + kFreshFor) {
      healthy_ = store_.Counts().ok();
      alarms_ = AlarmLines();
      checked_ = clock_.Monotonic();
    }
  }
  return healthy_;
}

// A line each behind the "ok": the server works, but somebody has something to look after. What it
// is stands on the first page, which is for fewer eyes.
std::string Health::AlarmLines() {
  std::string lines;
  const auto marks = store_.ListPolls(kAlarmPrefix, kMaxAlarms);
  if (!marks.ok()) return lines;
  for (const PollMark& mark : *marks) {
    lines += "\nalarm: " + mark.key.substr(kAlarmPrefix.size());
  }
  return lines;
}

WebResponse Health::Answer(std::string_view path) {
  const bool store = StoreAnswers();
  if (path == "/healthz") {
    if (!store) return TextResponse(503, "the store does not answer");
    const std::lock_guard lock(mutex_);
    return TextResponse(200, "ok" + alarms_);
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
