#include "config/base/crash_point.h"

#include <fcntl.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <cstdlib>

namespace swage {
namespace {

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

Result<CrashPoints::Place> CrashPoints::ParsePlace(std::string_view text) {
  Place place;
  const std::size_t colon = text.rfind(':');
  if (colon != std::string_view::npos) place.name = std::string(text.substr(0, colon));
  const std::string_view count = colon == std::string_view::npos ? text : text.substr(colon + 1);
  const auto [end, error] = std::from_chars(count.data(), count.data() + count.size(), place.count);
  const bool whole = error == std::errc() && end == count.data() + count.size();
  if (!whole || place.count < 1 || colon == 0) {
    return MakeError(ErrorCode::kInvalid,
                     "SWAGE_CRASH_AT=" + std::string(text) + ": neither a number nor NAME:NUMBER");
  }
  return place;
}

Result<std::unique_ptr<CrashPoints>> CrashPoints::FromEnvironment() {
  const std::string at = Variable("SWAGE_CRASH_AT");
  const std::string trace_file = Variable("SWAGE_CRASH_TRACE");
  if (at.empty() && trace_file.empty()) return std::unique_ptr<CrashPoints>();
  Place place;
  if (!at.empty()) {
    SWAGE_ASSIGN_OR_RETURN(place, ParsePlace(at));
  }
  Fd trace;
  if (!trace_file.empty()) {
    trace = Fd(open(trace_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    if (!trace.valid()) {
      return MakeError(ErrorCode::kInvalid, "SWAGE_CRASH_TRACE: cannot open " + trace_file);
    }
  }
  return std::unique_ptr<CrashPoints>(new CrashPoints(std::move(place), std::move(trace)));
}

void CrashPoints::Pass(std::string_view name) {
  // Held over the trace and the end: nobody passes a later point first.
  const std::lock_guard lock(mutex_);
  auto it = passed_by_name_.find(name);
  if (it == passed_by_name_.end()) it = passed_by_name_.emplace(name, 0).first;
  ++it->second;
  ++passed_;
  if (trace_.valid()) {
    const std::string line = std::string(name) + "\n";
    (void)!write(trace_.get(), line.data(), line.size());
  }
  const bool here = place_.name.empty() ? passed_ == place_.count
                                        : place_.name == name && it->second == place_.count;
  if (here) {
    kill(getpid(), SIGKILL);
    // The signal takes every thread; this one waits for it.
    while (true) pause();
  }
}

}  // namespace swage
