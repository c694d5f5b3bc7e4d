#include "forge/work_scope.h"

#include <utility>

namespace swage {
namespace {

WorkScope::Work& ThreadsWork() {
  thread_local WorkScope::Work work;
  return work;
}

}  // namespace

WorkScope::WorkScope(Work work) : outer_(Exchange(std::move(work))) {}

WorkScope::~WorkScope() {
  ThreadsWork() = std::move(outer_);
}

WorkScope::Work WorkScope::Exchange(Work work) {
  return std::exchange(ThreadsWork(), std::move(work));
}

std::stop_token WorkScope::Stop() {
  return ThreadsWork().stop;
}

bool WorkScope::IsBackground() {
  return ThreadsWork().background;
}

Result<void> WorkScope::Check(bool writes) {
  const Work& work = ThreadsWork();
  if (work.stop.stop_requested()) return MakeError(ErrorCode::kCancelled, "called off");
  if (writes && work.may_write) return work.may_write();
  return Ok();
}

}  // namespace swage
