#include "forge/sandbox/command.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "config/base/text.h"

namespace swage::sandbox {
namespace {

constexpr std::size_t kReadBytes = 64 << 10;
constexpr std::size_t kOutputCap = 8 << 20;
constexpr std::size_t kErrorTail = 2'000;

class SpawnActions {
 public:
  SpawnActions() {
    SWAGE_CHECK(posix_spawn_file_actions_init(&actions_) == 0);
    SWAGE_CHECK(posix_spawnattr_init(&attributes_) == 0);
  }
  ~SpawnActions() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnActions(const SpawnActions&) = delete;
  SpawnActions& operator=(const SpawnActions&) = delete;

  void Prepare(const CommandSpec& spec, int out) {
    if (spec.stdin_fd >= 0) {
      posix_spawn_file_actions_adddup2(&actions_, spec.stdin_fd, 0);
    } else {
      posix_spawn_file_actions_addopen(&actions_, 0, "/dev/null", O_RDONLY, 0);
    }
    posix_spawn_file_actions_adddup2(&actions_, out, 1);
    if (spec.merge_stderr) {
      posix_spawn_file_actions_adddup2(&actions_, out, 2);
    } else {
      posix_spawn_file_actions_addopen(&actions_, 2, "/dev/null", O_WRONLY, 0);
    }
    posix_spawn_file_actions_addclosefrom_np(&actions_, 3);
    sigset_t none;
    sigset_t pipe_signal;
    sigemptyset(&none);
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &pipe_signal);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(
        &attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  }

  posix_spawn_file_actions_t* actions() { return &actions_; }
  posix_spawnattr_t* attributes() { return &attributes_; }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (const std::string& s : strings) pointers.push_back(const_cast<char*>(s.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

Result<Command> Command::Start(const CommandSpec& spec) {
  int ends[2] = {-1, -1};
  if (pipe2(ends, O_CLOEXEC) != 0) return MakeError(ErrorCode::kInternal, "no pipe");
  Fd out(ends[0]);
  const Fd child_end(ends[1]);
  SpawnActions spawn;
  spawn.Prepare(spec, child_end.get());
  pid_t pid = -1;
  const int failed = posix_spawnp(&pid, spec.argv[0].c_str(), spawn.actions(), spawn.attributes(),
                                  Pointers(spec.argv).data(), Pointers(spec.env).data());
  if (failed != 0) {
    return MakeError(ErrorCode::kInternal,
                     fmt::format("start {}: {}", spec.argv[0], std::strerror(failed)));
  }
  return Command(pid, std::move(out));
}

Command::Command(Command&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), out_(std::move(other.out_)) {}

Command::~Command() {
  if (pid_ < 0) return;
  kill(-pid_, SIGKILL);
  Wait();
}

Result<std::string> Command::Read() {
  const int limit_ms = static_cast<int>(std::chrono::milliseconds(kSilenceLimit).count());
  pollfd ready{out_.get(), POLLIN, 0};
  int count = 0;
  do {
    count = poll(&ready, 1, limit_ms);
  } while (count < 0 && errno == EINTR);
  if (count == 0) return MakeError(ErrorCode::kTimeout, "git said nothing for too long");
  std::string bytes(kReadBytes, '\0');
  ssize_t got = 0;
  do {
    got = read(out_.get(), bytes.data(), bytes.size());
  } while (got < 0 && errno == EINTR);
  if (got < 0) return MakeError(ErrorCode::kInternal, "cannot read git's output");
  bytes.resize(static_cast<std::size_t>(got));
  return bytes;
}

Result<std::string> Command::ReadAll(std::size_t cap) {
  std::string all;
  for (;;) {
    SWAGE_ASSIGN_OR_RETURN(const std::string some, Read());
    if (some.empty()) return all;
    if (all.size() + some.size() > cap) return MakeError(ErrorCode::kTooLarge, "too much output");
    all += some;
  }
}

int Command::Wait() {
  if (pid_ < 0) return -1;
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::vector<std::string> GitEnvironment(const std::filesystem::path& home) {
  const char* path = std::getenv("PATH");
  return {fmt::format("PATH={}", path != nullptr ? path : "/usr/bin:/bin"),
          fmt::format("HOME={}", home.string()), "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
          "LC_ALL=C"};
}

Result<std::string> RunCommand(CommandSpec spec) {
  spec.merge_stderr = true;
  SWAGE_ASSIGN_OR_RETURN(Command command, Command::Start(spec));
  SWAGE_ASSIGN_OR_RETURN(std::string output, command.ReadAll(kOutputCap));
  const int code = command.Wait();
  if (code == 0) return output;
  const std::size_t from = output.size() > kErrorTail ? output.size() - kErrorTail : 0;
  return MakeError(ErrorCode::kInternal, fmt::format("{} {} failed ({}): {}", spec.argv[0],
                                                     spec.argv.size() > 1 ? spec.argv[1] : "", code,
                                                     Trim(output.substr(from))));
}

}  // namespace swage::sandbox
