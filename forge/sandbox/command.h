// Command: a short-lived git child with a pipe on its output, for the forge's own git work.
//
// Not the pipeline's ProcessRunner: nothing here is untrusted, and a pack must stream from the
// child to the client. The child gets its own process group, no descriptor above 2 and only the
// given environment; the destructor kills the group and reaps it. One thread at a time.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "config/base/files.h"
#include "config/base/result.h"

namespace swage::sandbox {

struct CommandSpec {
  std::vector<std::string> argv;  ///< argv[0] is looked up in PATH
  std::vector<std::string> env;   ///< "NAME=value"
  int stdin_fd = -1;              ///< -1 = /dev/null; borrowed
  bool merge_stderr = false;      ///< else dropped
};

class Command {
 public:
  static constexpr std::chrono::seconds kSilenceLimit{120};  ///< no output for so long = it hangs

  /// Errors: kInternal.
  static Result<Command> Start(const CommandSpec& spec);
  Command(Command&& other) noexcept;
  Command& operator=(Command&&) = delete;
  ~Command();

  /// Some bytes of output; empty at the end. Errors: kTimeout, kInternal.
  Result<std::string> Read();
  /// All of it, at most `cap` bytes. Errors: as Read, kTooLarge.
  Result<std::string> ReadAll(std::size_t cap);
  /// Waits for the end; the exit code, or 128 + signal.
  int Wait();

 private:
  Command(pid_t pid, Fd out) : pid_(pid), out_(std::move(out)) {}
  pid_t pid_ = -1;
  Fd out_;
};

/// The environment of every git child: no system or user configuration, nothing interactive.
std::vector<std::string> GitEnvironment(const std::filesystem::path& home);

/// Runs a command to its end. Errors: kInternal with the tail of its output when it fails.
Result<std::string> RunCommand(CommandSpec spec);

}  // namespace swage::sandbox
