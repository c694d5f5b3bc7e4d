#include "pipeline/isolation/attempts/attempts.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstddef>
#include <cstring>
#include <mutex>
#include <thread>

#include "config/base/crypto.h"
#include "config/base/files.h"
#include "config/base/text.h"
#include "pipeline/isolation/attempts/verdict.h"
#include "pipeline/isolation/probe.h"

namespace swage {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kAttemptLimit{30};
constexpr std::chrono::seconds kStandsBy{10};
constexpr int kExitBySignal = 128;  // of shells and enclosures: a signal's number is added
constexpr std::string_view kUntouched = "untouched\n";

// Of limits: what is allowed and what is taken, both small, so that it harms no machine on which
// nothing stops it, and how long it is held; counting takes a second or two.
constexpr std::uint64_t kAllowedMemory = 64 << 20;
constexpr int kAllowedProcesses = 32;
constexpr std::uint64_t kAllowedDisk = 8 << 20;
constexpr const char* kTakenMib = "128";
constexpr const char* kTakenProcesses = "64";
constexpr const char* kTakenDiskMib = "24";
constexpr const char* kHeldSeconds = "12";

Error Failure(std::string_view what) {
  return MakeError(ErrorCode::kInternal,
                   fmt::format("prepare the attempts: {}: {}", what, std::strerror(errno)));
}

Result<void> MakeOpen(const fs::path& folder) {
  SWAGE_RETURN_IF_ERROR(MakeDirs(folder));
  return chmod(folder.c_str(), 0777) == 0 ? Ok() : Failure(folder.string());
}

Result<void> WriteOpen(const fs::path& file, std::string_view bytes) {
  SWAGE_RETURN_IF_ERROR(WriteFileAtomic(file, bytes, 0666));
  return chmod(file.c_str(), 0666) == 0 ? Ok() : Failure(file.string());
}

Result<Fd> Listen(int family, const sockaddr* address, socklen_t size) {
  Fd fd(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid() || bind(fd.get(), address, size) != 0 || listen(fd.get(), 8) != 0) {
    return Failure("listen");
  }
  return fd;
}

Result<Fd> ListenUnix(const std::string& name, bool abstract) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::size_t from = abstract ? 1 : 0;
  if (name.size() + 2 > sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return Failure(name);
  }
  std::memcpy(address.sun_path + from, name.data(), name.size());
  const std::size_t size =
      offsetof(sockaddr_un, sun_path) + from + name.size() + (abstract ? 0 : 1);
  return Listen(AF_UNIX, reinterpret_cast<const sockaddr*>(&address), static_cast<socklen_t>(size));
}

// A process outside, for as long as the object lives.
class Bystander {
 public:
  Bystander(const fs::path& escape, const std::string& word, ProcessRunner& processes) {
    ProcessSpec spec;
    spec.argv = {escape.string(), "wait", word};
    spec.env = {{"SWAGE_CANARY", word}};
    spec.cwd = "/";
    spec.kill_grace = std::chrono::milliseconds(0);
    thread_ = std::jthread([this, spec, &processes](std::stop_token stop) {
      (void)processes
          .Run(
              spec, [this](auto bytes) { Hear(bytes); }, stop)
          .ok();
      const std::lock_guard lock(mutex_);
      ended_ = true;
      heard_.notify_all();
    });
  }

  /// "PID ADDRESS"
  Result<std::vector<std::string>> Where() {
    std::unique_lock lock(mutex_);
    const auto said_all = [this] { return ended_ || said_.ends_with('\n'); };
    if (!heard_.wait_for(lock, kStandsBy, said_all) || ended_) {
      return MakeError(ErrorCode::kInternal, "prepare the attempts: no process stands by");
    }
    std::vector<std::string> words;
    for (const std::string_view word : Split(Trim(said_), ' ')) words.emplace_back(word);
    if (words.size() != 2) return MakeError(ErrorCode::kInternal, "a process said: " + said_);
    return words;
  }

  /// Whether it ends soon, by somebody's hand.
  bool Ends() {
    std::unique_lock lock(mutex_);
    return heard_.wait_for(lock, kStandsBy, [this] { return ended_; });
  }

 private:
  void Hear(std::string_view bytes) {
    const std::lock_guard lock(mutex_);
    said_ += bytes;
    heard_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable heard_;
  std::string said_;
  bool ended_ = false;
  std::jthread thread_;  // last: it uses the others
};

bool IsLimit(Guarantee guarantee) {
  return guarantee == Guarantee::kMemoryLimit || guarantee == Guarantee::kProcessLimit ||
         guarantee == Guarantee::kDiskLimit;
}

ResourceLimits LimitsFor(Guarantee guarantee) {
  ResourceLimits limits;
  if (guarantee == Guarantee::kMemoryLimit) limits.memory_bytes = kAllowedMemory;
  if (guarantee == Guarantee::kProcessLimit) limits.processes = kAllowedProcesses;
  if (guarantee == Guarantee::kDiskLimit) limits.disk_bytes = kAllowedDisk;
  return limits;
}

// A filter that ends the process has stopped it, too; so has who kills it for a limit.
bool WasStopped(const ProcessResult& ran) {
  switch (ran.end) {
    case ProcessEnd::kExited:
      return ran.exit_code == kStopped || ran.exit_code > kExitBySignal;
    case ProcessEnd::kSignalled:
    case ProcessEnd::kOutOfMemory:
    case ProcessEnd::kTooManyProcesses:
    case ProcessEnd::kDiskFull:
    case ProcessEnd::kFileTooLarge:
      return true;
    case ProcessEnd::kTimedOut:
    case ProcessEnd::kSilent:
    case ProcessEnd::kStopped:
      return false;
  }
  return false;
}

// What tells from outside that an attempt got through; nothing = the attempt knows best.
enum class Trace { kNone, kFileMade, kFileChanged, kLockHeld, kProcessEnded };

struct Plan {
  std::vector<std::string> arguments;
  Trace trace = Trace::kNone;
  fs::path file = {};
};

class Field final : public AttemptField {
 public:
  Field(fs::path escape, ProcessRunner& processes)
      : escape_(std::move(escape)), processes_(processes), word_("canary-" + RandomHex(8)) {}

  ~Field() override {
    if (!folder_.empty()) (void)RemoveTree(folder_).ok();
  }

  Result<void> Set() {
    SWAGE_ASSIGN_OR_RETURN(folder_, MakeTempDir("swage-field-"));
    if (chmod(folder_.c_str(), 0755) != 0) return Failure(folder_.string());
    SWAGE_RETURN_IF_ERROR(MakeOpen(outside_ = folder_ / "outside"));
    SWAGE_RETURN_IF_ERROR(MakeOpen(shown_ = folder_ / "shown"));
    SWAGE_ASSIGN_OR_RETURN(socket_, ListenUnix((outside_ / "socket").string(), false));
    if (chmod((outside_ / "socket").c_str(), 0777) != 0) return Failure("socket");
    SWAGE_ASSIGN_OR_RETURN(abstract_, ListenUnix(word_, true));
    return ListenTcp();
  }

  AttemptResult Try(const Attempt& attempt, Isolation& isolation) override {
    auto tried = Attack(attempt, isolation);
    return tried.ok() ? *std::move(tried)
                      : AttemptResult{AttemptEnd::kFailed, tried.error().message};
  }

 private:
  Result<void> ListenTcp() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    SWAGE_ASSIGN_OR_RETURN(port_, Listen(AF_INET, reinterpret_cast<sockaddr*>(&address), size));
    if (getsockname(port_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      return Failure("port");
    }
    port_number_ = ntohs(address.sin_port);
    return Ok();
  }

  Result<void> Tidy() {
    SWAGE_RETURN_IF_ERROR(WriteOpen(outside_ / "secret", word_));
    SWAGE_RETURN_IF_ERROR(WriteOpen(outside_ / "file", kUntouched));
    SWAGE_RETURN_IF_ERROR(WriteOpen(shown_ / "task.json", kUntouched));
    return RemoveTree(outside_ / "new");
  }

  Plan PlanFor(std::string_view name, const Cell& cell, const std::vector<std::string>& process) {
    const auto outside = [&](const char* file) { return (outside_ / file).string(); };
    if (name == "write" || name == "write-through-link" || name == "write-through-roots") {
      return {{outside("new")}, Trace::kFileMade, outside_ / "new"};
    }
    if (name == "change") return {{outside("file")}, Trace::kFileChanged, outside_ / "file"};
    if (name == "change-shown") {
      return {{(shown_ / "task.json").string()}, Trace::kFileChanged, shown_ / "task.json"};
    }
    if (name == "read") return {{outside("secret"), word_}};
    if (name == "set-user") return {{escape_.string()}};
    if (name == "read-environments") return {{word_}};
    if (name == "read-memory") return {{process[0], process[1], word_}};
    if (name == "kill") return {{process[0]}, Trace::kProcessEnded};
    if (name == "survive") {
      return {{(cell.tmp / "lock").string()}, Trace::kLockHeld, cell.tmp / "lock"};
    }
    if (name == "connect-tcp") return {{"127.0.0.1", std::to_string(port_number_)}};
    if (name == "connect-path") return {{outside("socket")}};
    if (name == "connect-abstract") return {{word_}};
    if (name == "take-memory" || name == "take-nameless-memory") return {{kTakenMib}};
    if (name == "take-processes" || name == "take-threads") return {{kTakenProcesses}};
    if (name == "take-disk" || name == "take-nameless-disk") return {{kTakenDiskMib}};
    return {};
  }

  Result<AttemptResult> Attack(const Attempt& attempt, Isolation& isolation) {
    SWAGE_RETURN_IF_ERROR(Tidy());
    SWAGE_ASSIGN_OR_RETURN(const auto scratch, ScratchCell::Make(isolation.Owner()));
    Cell cell = scratch->Get();
    cell.shares = {{escape_}, {shown_}};
    SWAGE_ASSIGN_OR_RETURN(const auto runner, isolation.Enclose(cell));
    Bystander bystander(escape_, word_, processes_);
    SWAGE_ASSIGN_OR_RETURN(const auto process, bystander.Where());
    Plan plan = PlanFor(attempt.name, cell, process);

    ProcessSpec spec = SpecIn(cell);
    if (IsLimit(attempt.guarantee)) {
      const bool kept = isolation.Here().Gives(attempt.guarantee);
      plan.arguments.emplace_back(kept ? kHeldSeconds : "0");
      // A limit that nobody promises is none.
      if (kept) spec.limits = LimitsFor(attempt.guarantee);
      spec.disk_roots = {cell.workspace.string(), cell.home.string(), cell.tmp.string()};
    }
    const std::string_view act = attempt.name == "change-shown" ? "change" : attempt.name;
    spec.argv = {escape_.string(), std::string(act)};
    spec.argv.insert(spec.argv.end(), plan.arguments.begin(), plan.arguments.end());
    spec.cwd = cell.tmp.string();  // writable at every level
    spec.time_limit = kAttemptLimit;
    spec.kill_grace = std::chrono::milliseconds(0);
    spec.network = NetworkUse::kNone;
    std::string said;
    const auto listen = [&](std::string_view bytes) { said += bytes.substr(0, 500); };
    const auto ran = runner->Run(spec, listen, {});
    // Whoever ended the supervisor got through.
    if (!ran.ok() && attempt.name != "kill-supervisor") return ran.error();
    SWAGE_ASSIGN_OR_RETURN(AttemptResult judged, Judge(plan, ran, said, bystander));
    if (IsLimit(attempt.guarantee) && ran.ok()) judged.detail = ran->Describe();
    return judged;
  }

  static Result<AttemptResult> Judge(const Plan& plan, const Result<ProcessResult>& ran,
                                     const std::string& said, Bystander& bystander) {
    if (!ran.ok()) return AttemptResult{AttemptEnd::kThrough, ran.error().message};
    switch (plan.trace) {
      case Trace::kFileMade:
        return Seen(fs::exists(fs::symlink_status(plan.file)));
      case Trace::kFileChanged: {
        const auto now = ReadFile(plan.file);
        return Seen(!now.ok() || *now != kUntouched);
      }
      case Trace::kLockHeld:
        return LockIsHeld(plan.file);
      case Trace::kNone:
      case Trace::kProcessEnded:
        break;
    }
    const bool claims = ran->end == ProcessEnd::kExited && ran->exit_code == kThrough;
    // Inside, the number may be another process's.
    if (plan.trace == Trace::kProcessEnded && claims) return Seen(bystander.Ends());
    if (claims) return Seen(true);
    if (WasStopped(*ran)) return Seen(false);
    return MakeError(ErrorCode::kInternal, fmt::format("{}: {}", ran->Describe(), Trim(said)));
  }

  static AttemptResult Seen(bool through) {
    return {through ? AttemptEnd::kThrough : AttemptEnd::kStopped, ""};
  }

  static Result<AttemptResult> LockIsHeld(const fs::path& file) {
    const Fd fd(open(file.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
    if (!fd.valid()) return MakeError(ErrorCode::kInternal, "no process was started");
    return Seen(flock(fd.get(), LOCK_EX | LOCK_NB) != 0);
  }

  const fs::path escape_;
  ProcessRunner& processes_;
  const std::string word_;
  fs::path folder_, outside_, shown_;
  Fd socket_, abstract_, port_;
  int port_number_ = 0;
};

}  // namespace

const std::vector<Attempt>& Attempts() {
  static const std::vector<Attempt> kAttempts = {
      {"write", "write a file beside the workspace", Guarantee::kNoWriteOutside},
      {"change", "change a file beside the workspace", Guarantee::kNoWriteOutside},
      {"change-shown", "change the hand-off, or the mirror's objects", Guarantee::kNoWriteOutside},
      {"write-through-link", "write through a symbolic link", Guarantee::kNoWriteOutside},
      {"write-through-roots", "write through /proc/PID/root", Guarantee::kNoWriteOutside},
      {"open-knobs", "open the machine's knobs in /proc, /sys and /dev", Guarantee::kNoWriteOutside,
       true},
      {"make-device", "make a device node of the disk", Guarantee::kNoWriteOutside, true},
      {"mount", "mount a file system", Guarantee::kNoWriteOutside, true},
      {"new-namespaces", "become root in a new user namespace", Guarantee::kNoWriteOutside},
      {"open-by-handle", "open a file by its handle", Guarantee::kNoWriteOutside, true},
      {"set-user", "leave a setuid program behind", Guarantee::kNoWriteOutside},
      {"read", "read a file of another task", Guarantee::kNoReadOtherTasks},
      {"read-environments", "read the environment of another process", Guarantee::kNoReadBot},
      {"read-memory", "read or trace the memory of another process", Guarantee::kNoReadBot},
      {"read-keys", "read the keys of the bot's session", Guarantee::kNoReadBot},
      {"keep-descriptors", "use a descriptor of the bot", Guarantee::kNoReadBot},
      {"deep-calls", "use bpf, perf, userfaultfd or io_uring", Guarantee::kNoReadBot},
      {"see-network", "reach another machine", Guarantee::kNoNetwork},
      {"open-odd-sockets", "open sockets past the network namespace", Guarantee::kNoNetwork},
      {"connect-tcp", "connect to a port of the bot", Guarantee::kNoBotPorts},
      {"connect-path", "connect to a unix socket of the bot", Guarantee::kNoBotPorts},
      {"connect-abstract", "connect to an abstract socket of the bot", Guarantee::kNoBotPorts},
      {"kill", "end a process of the bot", Guarantee::kNoSurvivors},
      {"kill-supervisor", "stop whoever cleans up", Guarantee::kNoSurvivors},
      {"survive", "live on in another session", Guarantee::kNoSurvivors},
      {"type-into-terminal", "type into the terminal of the bot", Guarantee::kNoSurvivors},
      {"take-memory", "take more memory, in several processes", Guarantee::kMemoryLimit},
      {"take-nameless-memory", "take more memory, in a file without a name",
       Guarantee::kMemoryLimit},
      {"take-processes", "start more processes", Guarantee::kProcessLimit},
      {"take-threads", "start more threads", Guarantee::kProcessLimit},
      {"take-disk", "write more files", Guarantee::kDiskLimit},
      {"take-nameless-disk", "write more into a file without a name", Guarantee::kDiskLimit},
  };
  return kAttempts;
}

Result<std::unique_ptr<AttemptField>> AttemptField::Make(fs::path escape,
                                                         ProcessRunner& processes) {
  auto field = std::make_unique<Field>(std::move(escape), processes);
  SWAGE_RETURN_IF_ERROR(field->Set());
  return std::unique_ptr<AttemptField>(std::move(field));
}

}  // namespace swage
