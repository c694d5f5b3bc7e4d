#include "config/base/process.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "config/base/clock.h"
#include "config/base/text.h"

namespace swage {
namespace {

constexpr std::size_t kErrorTailBytes = 2 << 10;

std::string TailOf(const std::string& text) {
  std::string_view tail = text;
  if (tail.size() > kErrorTailBytes) tail.remove_prefix(tail.size() - kErrorTailBytes);
  return ToValidUtf8(Trim(StripControl(tail)));
}

ErrorCode CodeFor(ProcessEnd end) {
  switch (end) {
    case ProcessEnd::kTimedOut:
    case ProcessEnd::kSilent:
      return ErrorCode::kTimeout;
    case ProcessEnd::kStopped:
      return ErrorCode::kCancelled;
    case ProcessEnd::kDiskFull:
    case ProcessEnd::kFileTooLarge:
    case ProcessEnd::kOutOfMemory:
    case ProcessEnd::kTooManyProcesses:
      return ErrorCode::kTooLarge;
    case ProcessEnd::kExited:
    case ProcessEnd::kSignalled:
      break;
  }
  return ErrorCode::kInternal;
}

}  // namespace

std::string ProcessResult::Describe() const {
  const std::string also = excess.empty() ? "" : "; " + excess;
  switch (end) {
    case ProcessEnd::kExited:
      return fmt::format("exit code {}{}", exit_code, also);
    case ProcessEnd::kSignalled:
      return fmt::format("killed by signal {}{}", signal, also);
    case ProcessEnd::kTimedOut:
      return fmt::format("timed out after {}{}", FormatDuration(duration), also);
    case ProcessEnd::kSilent:
      return fmt::format("stopped after {}: no output for too long{}", FormatDuration(duration),
                         also);
    case ProcessEnd::kStopped:
      return fmt::format("stopped after {}", FormatDuration(duration));
    case ProcessEnd::kOutOfMemory:
    case ProcessEnd::kTooManyProcesses:
    case ProcessEnd::kDiskFull:
    case ProcessEnd::kFileTooLarge:
      return "killed: " + excess;
  }
  return "";
}

Result<std::string> FindHelper(std::string_view name) {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) {
    return MakeError(ErrorCode::kInternal,
                     fmt::format("cannot read /proc/self/exe: {}", error.message()));
  }
  const std::filesystem::path here = self.parent_path();
  const std::filesystem::path installed = here.parent_path() / "libexec" / "swage";
  for (const auto& candidate : {here / name, installed / name}) {
    if (access(candidate.c_str(), X_OK) == 0) return candidate.string();
  }
  return MakeError(ErrorCode::kNotFound,
                   fmt::format("{} is neither in {} nor in {}; install it beside the program", name,
                               here.string(), installed.string()));
}

Result<std::string> RunAndCapture(ProcessRunner& runner, ProcessSpec spec, std::size_t cap) {
  spec.output_cap = cap;
  std::string output;
  const auto collect = [&output](std::string_view bytes) { output.append(bytes); };
  SWAGE_ASSIGN_OR_RETURN(const ProcessResult result, runner.Run(spec, collect, {}));
  if (!result.Succeeded()) {
    const std::string tail = TailOf(spec.merge_stderr ? output : result.stderr_tail);
    return MakeError(CodeFor(result.end),
                     fmt::format("{}: {}{}{}", spec.argv.front(), result.Describe(),
                                 tail.empty() ? "" : ": ", tail));
  }
  if (result.dropped_bytes > 0) {
    return MakeError(ErrorCode::kTooLarge,
                     fmt::format("{}: more than {} bytes of output", spec.argv.front(), cap));
  }
  return output;
}

}  // namespace swage
