#include "pipeline/isolation/enclosure.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "config/base/text.h"
#include "pipeline/isolation/enter/hidden_environment.h"

namespace swage {
namespace {

constexpr std::size_t kWordsKept = 2 << 10;  // of the output, to explain a failure
constexpr std::size_t kWordsShown = 300;

constexpr int kContainerFailed = 125;
constexpr int kContainerCannotExecute = 126;
constexpr int kContainerNoSuchCommand = 127;

// Without a report, what a container's exit code says; nothing = the command ran.
std::optional<StartReport> ReadExitCode(const ProcessResult& result) {
  if (result.end != ProcessEnd::kExited) return StartReport{StartStage::kStarted, 0};
  switch (result.exit_code) {
    case kContainerFailed:
      return std::nullopt;
    case kContainerCannotExecute:
      return StartReport{StartStage::kExecuted, EACCES};
    case kContainerNoSuchCommand:
      return StartReport{StartStage::kExecuted, ENOENT};
    default:
      return StartReport{StartStage::kStarted, 0};
  }
}

// The beginning of a stream: whoever cannot start a command says so before anybody else speaks.
class FirstWords {
 public:
  void Add(std::string_view bytes) {
    text_ += bytes.substr(0, kWordsKept - std::min(kWordsKept, text_.size()));
  }
  std::string Show() const {
    return Truncate(ReplaceAll(ToValidUtf8(Trim(StripControl(text_))), "\n", "; "), kWordsShown);
  }

 private:
  std::string text_;
};

class Enclosure final : public ProcessRunner {
 public:
  Enclosure(EnclosureParts parts, ProcessRunner& processes)
      : parts_(std::move(parts)), processes_(processes) {}

  Result<ProcessResult> Run(const ProcessSpec& spec, const Sink& sink,
                            std::stop_token stop) override {
    if (spec.argv.empty() || spec.argv.front().empty()) {
      return MakeError(ErrorCode::kInvalid, "the command is empty");
    }
    SWAGE_ASSIGN_OR_RETURN(std::vector<std::string> words, parts_.words_before(spec));
    words.insert(words.end(), spec.argv.begin(), spec.argv.end());
    ProcessSpec outer = spec;
    outer.argv = std::move(words);
    outer.reports_start = parts_.passes_descriptors;
    if (parts_.adapt) parts_.adapt(outer);

    FirstWords words_said;
    const auto listen = [&](std::string_view bytes) {
      words_said.Add(bytes);
      if (sink) sink(bytes);
    };
    auto result = processes_.Run(outer, listen, std::move(stop));
    const bool exited = result.ok() && result->end == ProcessEnd::kExited;
    if (!exited && parts_.after_kill) parts_.after_kill();
    if (!result.ok()) return result.error().With("start " + parts_.name);
    return Judge(spec, *std::move(result), words_said);
  }

 private:
  Result<ProcessResult> Judge(const ProcessSpec& spec, ProcessResult result,
                              FirstWords words_said) const {
    const auto start = parts_.passes_descriptors ? result.start : ReadExitCode(result);
    const std::string& command = spec.argv.front();
    if (start && start->stage == StartStage::kStarted) return result;
    if (start && start->stage == StartStage::kExecuted) {
      if (start->error == ENOENT) {
        return MakeError(ErrorCode::kNotFound,
                         fmt::format("no such command in {}: {}", parts_.name, command));
      }
      return MakeError(ErrorCode::kInternal, fmt::format("cannot run {} in {}: {}", command,
                                                         parts_.name, std::strerror(start->error)));
    }
    switch (result.end) {
      case ProcessEnd::kTimedOut:
      case ProcessEnd::kSilent:
      case ProcessEnd::kStopped:
      case ProcessEnd::kOutOfMemory:
      case ProcessEnd::kTooManyProcesses:
      case ProcessEnd::kDiskFull:
      case ProcessEnd::kFileTooLarge:
        return result;  // on its way in; nothing of it is left
      case ProcessEnd::kExited:
      case ProcessEnd::kSignalled:
        break;
    }
    if (!spec.merge_stderr) words_said.Add(result.stderr_tail);
    const std::string said = words_said.Show();
    return MakeError(ErrorCode::kUnavailable,
                     fmt::format("{} could not be set up for {}: {}{}{}", parts_.name, command,
                                 result.Describe(), said.empty() ? "" : ": ", said));
  }

  const EnclosureParts parts_;
  ProcessRunner& processes_;
};

}  // namespace

std::string HiddenName(const std::string& variable) {
  return kHiddenVariable + variable;
}

void HideEnvironment(ProcessSpec& spec) {
  std::map<std::string, std::string> hidden;
  for (auto& [name, value] : spec.env) hidden[HiddenName(name)] = std::move(value);
  spec.env = std::move(hidden);
}

std::unique_ptr<ProcessRunner> MakeEnclosure(EnclosureParts parts, ProcessRunner& processes) {
  return std::make_unique<Enclosure>(std::move(parts), processes);
}

}  // namespace swage
