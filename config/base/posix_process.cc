// The ProcessRunner of Linux: one swage-supervise per command, and a poll loop in the caller's
// thread.
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include "config/base/cgroup.h"
#include "config/base/clock.h"
#include "config/base/files.h"
#include "config/base/limits.h"
#include "config/base/process.h"
#include "config/base/supervisor_protocol.h"
#include "config/base/tree_watch.h"

namespace swage {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kMaxStdinBytes = 1 << 20;
constexpr std::size_t kStderrTailBytes = 16 << 10;
constexpr std::size_t kReadBytes = 64 << 10;
constexpr int kPipeBytes = 256 << 10;
// How a shell, and bubblewrap, tell of a signal: this much above its number.
constexpr int kSignalBase = 128;
// What a pipe can still hold when everybody who was ours is dead; more comes from a stranger.
constexpr std::size_t kFinalDrainBytes = 1 << 20;
static_assert(kSupervisorGroupFd + kMaxSupervisorGroups <= kSupervisorStartFd);
constexpr int kFirstFreeFd = kSupervisorStartFd + 1;
// The supervisor answers within the grace plus its own bounded rounds of KILL; then it is killed
// itself.
constexpr milliseconds kSupervisorSlack{10'000};

std::string Reason(int error) {
  return std::error_code(error, std::generic_category()).message();
}

Error SystemFailure(std::string_view act) {
  return MakeError(ErrorCode::kInternal, fmt::format("{}: {}", act, Reason(errno)));
}

// Out of the way of the numbers that the spawn assigns: dup2 must not overwrite a source.
Fd AboveReserved(Fd fd) {
  if (!fd.valid() || fd.get() >= kFirstFreeFd) return fd;
  return Fd(fcntl(fd.get(), F_DUPFD_CLOEXEC, kFirstFreeFd));
}

struct Pipe {
  Fd read;
  Fd write;
};

Result<Pipe> MakePipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return SystemFailure("pipe");
  Pipe pipe{AboveReserved(Fd(ends[0])), AboveReserved(Fd(ends[1]))};
  if (!pipe.read.valid() || !pipe.write.valid()) return SystemFailure("pipe");
  return pipe;
}

// A socket pair, because a write to it can be told not to raise SIGPIPE.
Result<Pipe> MakeControl() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return SystemFailure("socketpair");
  }
  Pipe control{AboveReserved(Fd(ends[0])), AboveReserved(Fd(ends[1]))};
  if (!control.read.valid() || !control.write.valid()) return SystemFailure("socketpair");
  return control;
}

Result<Fd> MakeStdin(const std::string& bytes) {
  if (bytes.empty()) {
    Fd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!null.valid()) return SystemFailure("open /dev/null");
    return AboveReserved(std::move(null));
  }
  if (bytes.size() > kMaxStdinBytes) {
    return MakeError(ErrorCode::kTooLarge,
                     fmt::format("standard input is larger than {} bytes", kMaxStdinBytes));
  }
  Fd memory(memfd_create("stdin", MFD_CLOEXEC));
  if (!memory.valid() ||
      write(memory.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()) ||
      lseek(memory.get(), 0, SEEK_SET) != 0) {
    return SystemFailure("standard input");
  }
  return AboveReserved(std::move(memory));
}

// The last `limit` bytes of a stream of any length.
class Tail {
 public:
  void Append(std::string_view bytes) {
    text_.append(bytes);
    if (text_.size() > 2 * kStderrTailBytes) text_.erase(0, text_.size() - kStderrTailBytes);
  }
  std::string Take() {
    if (text_.size() > kStderrTailBytes) text_.erase(0, text_.size() - kStderrTailBytes);
    return std::move(text_);
  }

 private:
  std::string text_;
};

// The supervisor process: reaped when its owner goes, whatever happened.
class SupervisorProcess {
 public:
  explicit SupervisorProcess(pid_t pid) : pid_(pid) {}
  SupervisorProcess(const SupervisorProcess&) = delete;
  SupervisorProcess& operator=(const SupervisorProcess&) = delete;
  ~SupervisorProcess() {
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  void Kill() { kill(pid_, SIGKILL); }

 private:
  const pid_t pid_;
};

class SpawnAttributes {
 public:
  SpawnAttributes() {
    posix_spawnattr_init(&attributes_);
    posix_spawn_file_actions_init(&actions_);
    sigset_t set;
    sigfillset(&set);
    posix_spawnattr_setsigdefault(&attributes_,
                                  &set);  // SIGPIPE, which the bot ignores, among them
    sigemptyset(&set);
    posix_spawnattr_setsigmask(&attributes_, &set);
    posix_spawnattr_setflags(&attributes_,
                             POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  }
  SpawnAttributes(const SpawnAttributes&) = delete;
  SpawnAttributes& operator=(const SpawnAttributes&) = delete;
  ~SpawnAttributes() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  void Give(const Fd& fd, int as) {
    posix_spawn_file_actions_adddup2(&actions_, fd.get(), as);
    given_[static_cast<std::size_t>(as)] = true;
  }
  int Spawn(pid_t* pid, const std::string& program, char** argv, char** env) {
    for (int fd = 3; fd < kFirstFreeFd; ++fd) {
      if (!given_[static_cast<std::size_t>(fd)]) posix_spawn_file_actions_addclose(&actions_, fd);
    }
    posix_spawn_file_actions_addclosefrom_np(&actions_, kFirstFreeFd);
    return posix_spawn(pid, program.c_str(), &actions_, &attributes_, argv, env);
  }

 private:
  posix_spawnattr_t attributes_;
  posix_spawn_file_actions_t actions_;
  std::array<bool, kFirstFreeFd> given_{};
};

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (std::string& s : strings) pointers.push_back(s.data());
  pointers.push_back(nullptr);
  return pointers;
}

// A NUL would cut an argument short without anybody noticing.
Result<void> CheckSpec(const ProcessSpec& spec) {
  if (spec.argv.empty() || spec.argv.front().empty()) {
    return MakeError(ErrorCode::kInvalid, "the command is empty");
  }
  const auto has_nul = [](const std::string& s) { return s.find('\0') != std::string::npos; };
  bool bad = std::any_of(spec.argv.begin(), spec.argv.end(), has_nul);
  for (const auto& [name, value] : spec.env) {
    bad = bad || name.empty() || has_nul(name) || has_nul(value) || name.find('=') != name.npos;
  }
  if (bad) {
    return MakeError(ErrorCode::kInvalid,
                     fmt::format("{}: an argument or variable holds a NUL, or a variable's name is "
                                 "empty or holds '='",
                                 spec.argv.front()));
  }
  return Ok();
}

// One run: the pipes, the limits, and what was seen so far.
class Execution {
 public:
  Execution(const ProcessSpec& spec, const ProcessRunner::Sink& sink, CommandGroups* groups)
      : spec_(spec), sink_(sink), groups_(groups) {}

  Result<ProcessResult> Run(const std::string& supervisor, const std::stop_token& stop) {
    wake_ = Fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!wake_.valid()) return SystemFailure("eventfd");
    SWAGE_RETURN_IF_ERROR(MakeGroup());
    started_ = last_output_ = clock_.Monotonic();
    SWAGE_ASSIGN_OR_RETURN(const pid_t pid, Start(supervisor));
    SupervisorProcess process(pid);
    {
      const std::stop_callback on_stop(stop, [this] { Wake(); });
      const std::unique_ptr<TreeWatch> watch = Watch(pid);
      while (!reported_) Step(process);
    }
    control_.Close();
    // Whoever killed the supervisor, or was out of its reach, is still in here.
    if (group_) group_->KillAll();
    Drain(output_, &Execution::TakeOutput);
    Drain(errors_, &Execution::TakeErrors);
    ReadStart();
    return Conclude();
  }

 private:
  using Take = void (Execution::*)(std::string_view);

  void Wake() const {
    const std::uint64_t one = 1;
    (void)!write(wake_.get(), &one, sizeof one);
  }

  bool Grouped(Controller controller) const { return group_ && groups_->Keeps(controller); }

  Result<void> MakeGroup() {
    const ResourceLimits& limits = spec_.limits;
    const bool wanted = limits.memory_bytes > 0 || limits.processes > 0 || limits.cpus > 0;
    if (groups_ == nullptr || !wanted) return Ok();
    auto group = groups_->Make(limits);
    if (!group.ok()) {
      return MakeError(ErrorCode::kInternal, group.error().With("limit the command").message);
    }
    group_ = std::move(group).value();
    for (Fd& entry : group_->Entries()) entry = AboveReserved(std::move(entry));
    return Ok();
  }

  // The fourth word of the supervisor's command line.
  std::string Fence() const {
    const ResourceLimits& limits = spec_.limits;
    std::uint64_t processes = 0;
    // Counted per user by the kernel, so what others run is added; root is never held to it.
    if (limits.processes > 0 && geteuid() != 0 && !Grouped(Controller::kProcesses)) {
      processes = static_cast<std::uint64_t>(limits.processes) + ThreadsOf(geteuid());
    }
    return fmt::format("{}:{}:{}:{}", group_ ? group_->Entries().size() : 0, limits.file_bytes,
                       limits.open_files, processes);
  }

  // For what no group keeps; nothing where there is no such thing.
  std::unique_ptr<TreeWatch> Watch(pid_t supervisor) {
    WatchPlan plan{supervisor, spec_.limits, spec_.disk_roots};
    if (Grouped(Controller::kMemory)) plan.limits.memory_bytes = 0;
    if (Grouped(Controller::kProcesses)) plan.limits.processes = 0;
    if (!plan.Needed()) return nullptr;
    return std::make_unique<TreeWatch>(std::move(plan), [this](Limited what) {
      exceeded_ = static_cast<int>(what);
      Wake();
    });
  }

  Result<pid_t> Start(const std::string& supervisor) {
    SWAGE_ASSIGN_OR_RETURN(const Fd input, MakeStdin(spec_.stdin_bytes));
    SWAGE_ASSIGN_OR_RETURN(Pipe output, MakePipe());
    SWAGE_ASSIGN_OR_RETURN(Pipe control, MakeControl());
    SWAGE_ASSIGN_OR_RETURN(Pipe report, MakePipe());
    Pipe errors;
    if (!spec_.merge_stderr) {
      SWAGE_ASSIGN_OR_RETURN(errors, MakePipe());
      fcntl(errors.read.get(), F_SETFL, O_NONBLOCK);
    }
    fcntl(output.read.get(), F_SETFL, O_NONBLOCK);
    fcntl(output.read.get(), F_SETPIPE_SZ, kPipeBytes);  // refused past the user's quota: no harm

    Pipe start;
    if (spec_.reports_start) {
      SWAGE_ASSIGN_OR_RETURN(start, MakePipe());
      fcntl(start.read.get(), F_SETFL, O_NONBLOCK);
    }

    SpawnAttributes spawn;
    spawn.Give(input, 0);
    spawn.Give(output.write, 1);
    spawn.Give(spec_.merge_stderr ? output.write : errors.write, 2);
    spawn.Give(control.read, kSupervisorControlFd);
    spawn.Give(report.write, kSupervisorReportFd);
    if (start.write.valid()) spawn.Give(start.write, kSupervisorStartFd);
    int next = kSupervisorGroupFd;
    if (group_) {
      for (const Fd& entry : group_->Entries()) spawn.Give(entry, next++);
    }

    std::vector<std::string> words = {supervisor, std::to_string(spec_.kill_grace.count()),
                                      spec_.cwd, Fence()};
    words.insert(words.end(), spec_.argv.begin(), spec_.argv.end());
    std::vector<std::string> variables;
    for (const auto& [name, value] : spec_.env) variables.push_back(name + "=" + value);
    pid_t pid = 0;
    const int error =
        spawn.Spawn(&pid, supervisor, Pointers(words).data(), Pointers(variables).data());
    if (error != 0) {
      return MakeError(ErrorCode::kInternal, fmt::format("cannot start {} for {}: {}", supervisor,
                                                         spec_.argv.front(), Reason(error)));
    }
    output_ = std::move(output.read);
    errors_ = std::move(errors.read);
    control_ = std::move(control.write);
    report_ = std::move(report.read);
    start_ = std::move(start.read);
    return pid;
  }

  void Step(SupervisorProcess& process) {
    std::array<pollfd, 4> fds = {pollfd{output_.get(), POLLIN, 0}, pollfd{errors_.get(), POLLIN, 0},
                                 pollfd{report_.get(), POLLIN, 0}, pollfd{wake_.get(), POLLIN, 0}};
    if (asked_) fds[3].fd = -1;
    const int ready = poll(fds.data(), fds.size(), Timeout());
    if (ready > 0) {
      if (fds[0].revents != 0) ReadOnce(output_, &Execution::TakeOutput);
      if (fds[1].revents != 0) ReadOnce(errors_, &Execution::TakeErrors);
      if (fds[2].revents != 0) ReadReport();
      if (fds[3].revents != 0) Interrupted();
    }
    CheckLimits(process);
  }

  MonotonicTime Deadline() const {
    if (asked_) return asked_at_ + spec_.kill_grace + kSupervisorSlack;
    MonotonicTime deadline = MonotonicTime::max();
    if (spec_.time_limit.count() > 0) deadline = started_ + spec_.time_limit;
    if (spec_.silence_limit.count() > 0) {
      deadline = std::min(deadline, last_output_ + spec_.silence_limit);
    }
    return deadline;
  }

  int Timeout() const {
    const MonotonicTime deadline = Deadline();
    if (deadline == MonotonicTime::max()) return -1;
    const auto left = std::chrono::ceil<milliseconds>(deadline - clock_.Monotonic()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, 1 << 30));
  }

  void CheckLimits(SupervisorProcess& process) {
    const MonotonicTime now = clock_.Monotonic();
    if (reported_ || now < Deadline()) return;
    if (asked_) {
      process.Kill();
      if (leader_ > 0) killpg(leader_, SIGKILL);
      reported_ = true;
      return;
    }
    const bool time_is_up = spec_.time_limit.count() > 0 && now >= started_ + spec_.time_limit;
    AskToStop(time_is_up ? ProcessEnd::kTimedOut : ProcessEnd::kSilent, kSupervisorStop);
  }

  // By the stop token, or by the watch: what takes too much is given no time to take more.
  void Interrupted() {
    switch (const int exceeded = exceeded_; static_cast<Limited>(exceeded)) {
      case Limited::kMemory:
        return Exceeded(ProcessEnd::kOutOfMemory, Limited::kMemory);
      case Limited::kProcesses:
        return Exceeded(ProcessEnd::kTooManyProcesses, Limited::kProcesses);
      case Limited::kDisk:
        return Exceeded(ProcessEnd::kDiskFull, Limited::kDisk);
      case Limited::kCpu:
      case Limited::kFile:
      case Limited::kOpenFiles:
        break;
    }
    AskToStop(ProcessEnd::kStopped, kSupervisorStop);
  }

  void Exceeded(ProcessEnd why, Limited what) {
    result_.excess = DescribeExcess(what, spec_.limits);
    AskToStop(why, kSupervisorKill);
  }

  void AskToStop(ProcessEnd why, char byte) {
    asked_ = why;
    asked_at_ = clock_.Monotonic();
    (void)!send(control_.get(), &byte, 1, MSG_NOSIGNAL);  // fails only if the supervisor is gone
  }

  void ReadReport() {
    SupervisorReport report;
    const bool complete = read(report_.get(), &report, sizeof report) == sizeof report;
    if (complete && report.outcome == SupervisorOutcome::kStarted) {
      leader_ = report.value;
      return;
    }
    if (complete) outcome_ = report;
    if (!complete && leader_ > 0) killpg(leader_, SIGKILL);  // nobody else is left to do it
    reported_ = true;
  }

  // Two at most, which a pipe holds: nobody has to read them before the end.
  void ReadStart() {
    StartReport report;
    while (start_.valid() && read(start_.get(), &report, sizeof report) == sizeof report) {
      result_.start = report;
      if (report.stage != StartStage::kStarted) return;
    }
  }

  // False at the end of the stream and when nothing is there.
  bool ReadOnce(Fd& fd, Take take) {
    const ssize_t n = read(fd.get(), buffer_.data(), buffer_.size());
    if (n < 0) return errno == EINTR;
    if (n == 0) {
      fd.Close();
      return false;
    }
    last_output_ = clock_.Monotonic();
    (this->*take)({buffer_.data(), static_cast<std::size_t>(n)});
    return true;
  }

  // A stranger outside the tree may hold a copy of the pipe and write for ever: bounded.
  void Drain(Fd& fd, Take take) {
    for (std::size_t reads = 0; fd.valid() && reads < kFinalDrainBytes / kReadBytes; ++reads) {
      if (!ReadOnce(fd, take)) return;
    }
  }

  void TakeOutput(std::string_view bytes) {
    const std::size_t kept = result_.output_bytes - result_.dropped_bytes;
    const std::string_view head = bytes.substr(0, std::min(bytes.size(), spec_.output_cap - kept));
    result_.output_bytes += bytes.size();
    result_.dropped_bytes += bytes.size() - head.size();
    if (!head.empty() && sink_) sink_(head);
  }

  void TakeErrors(std::string_view bytes) { stderr_tail_.Append(bytes); }

  Result<ProcessResult> Conclude() {
    const std::string& command = spec_.argv.front();
    if (!outcome_) {
      return MakeError(
          ErrorCode::kInternal,
          fmt::format("the supervisor of {} was killed before it could report", command));
    }
    result_.duration = std::chrono::duration_cast<milliseconds>(clock_.Monotonic() - started_);
    result_.leftover_processes = outcome_->leftover;
    result_.stderr_tail = stderr_tail_.Take();
    switch (outcome_->outcome) {
      case SupervisorOutcome::kStarted:
        break;  // never the last report
      case SupervisorOutcome::kNoDirectory:
        return MakeError(ErrorCode::kInternal, fmt::format("cannot run {} in {}: {}", command,
                                                           spec_.cwd, Reason(outcome_->value)));
      case SupervisorOutcome::kNotStarted:
        if (outcome_->value == ENOENT) {
          return MakeError(ErrorCode::kNotFound, fmt::format("no such command: {}", command));
        }
        return MakeError(ErrorCode::kInternal,
                         fmt::format("cannot run {}: {}", command, Reason(outcome_->value)));
      case SupervisorOutcome::kNotFenced:
        return MakeError(ErrorCode::kInternal,
                         fmt::format("cannot limit {}: {}", command, Reason(outcome_->value)));
      case SupervisorOutcome::kExited:
        result_.end = ProcessEnd::kExited;
        result_.exit_code = outcome_->value;
        break;
      case SupervisorOutcome::kSignalled:
        result_.end = ProcessEnd::kSignalled;
        result_.signal = outcome_->value;
        break;
    }
    if (outcome_->stopped != 0) result_.end = asked_.value_or(ProcessEnd::kStopped);
    AddUse();
    NameExcess();
    return std::move(result_);
  }

  void AddUse() {
    using std::chrono::duration_cast;
    using std::chrono::microseconds;
    if (group_) group_use_ = group_->Use();
    // A tree in a process namespace of its own tells its parent of the CPU time only now and then.
    const auto cpu = std::max(microseconds(outcome_->cpu_us), group_use_.cpu);
    result_.use.cpu = duration_cast<milliseconds>(cpu);
    result_.use.cpu_held_back = duration_cast<milliseconds>(group_use_.cpu_held_back);
    result_.use.peak_memory_bytes = group_use_.peak_memory_bytes > 0
                                        ? group_use_.peak_memory_bytes
                                        : static_cast<std::uint64_t>(outcome_->peak_rss_kib) << 10;
  }

  // By the signal itself, or as a shell or a sandbox tells it of what it ran.
  bool EndedBy(int signal) const {
    if (result_.end == ProcessEnd::kSignalled) return result_.signal == signal;
    return result_.end == ProcessEnd::kExited && result_.exit_code == kSignalBase + signal;
  }

  // What the kernel did while we were not asked.
  void NameExcess() {
    const bool failed = !result_.Succeeded();
    if (!failed || !result_.excess.empty()) return;
    const bool signalled = result_.end == ProcessEnd::kSignalled;
    if (group_use_.memory_kills > 0) {
      result_.excess = DescribeExcess(Limited::kMemory, spec_.limits);
      if (signalled && result_.signal == SIGKILL) result_.end = ProcessEnd::kOutOfMemory;
    } else if (group_use_.refused_processes > 0) {
      result_.excess = DescribeExcess(Limited::kProcesses, spec_.limits);
    } else if (EndedBy(SIGXFSZ) && spec_.limits.file_bytes > 0) {
      result_.excess = DescribeExcess(Limited::kFile, spec_.limits);
      result_.end = ProcessEnd::kFileTooLarge;
    }
  }

  const ProcessSpec& spec_;
  const ProcessRunner::Sink& sink_;
  CommandGroups* const groups_;
  const SystemClock clock_;
  Fd output_, errors_, control_, report_, start_, wake_;
  MonotonicTime started_{}, last_output_{}, asked_at_{};
  std::optional<ProcessEnd> asked_;  // why the supervisor was told to stop
  std::atomic<int> exceeded_{-1};    // a Limited, said by the watch
  std::unique_ptr<CommandGroup> group_;
  pid_t leader_ = 0;  // of the command's process group, once it runs
  bool reported_ = false;
  std::optional<SupervisorReport> outcome_;
  GroupUse group_use_;
  Tail stderr_tail_;
  ProcessResult result_;
  std::array<char, kReadBytes> buffer_;
};

class PosixProcessRunner final : public ProcessRunner {
 public:
  PosixProcessRunner(std::string supervisor, std::shared_ptr<CommandGroups> groups)
      : supervisor_(std::move(supervisor)), groups_(std::move(groups)) {}

  Result<ProcessResult> Run(const ProcessSpec& spec, const Sink& sink,
                            std::stop_token stop) override {
    SWAGE_RETURN_IF_ERROR(CheckSpec(spec));
    if (stop.stop_requested()) {
      ProcessResult stopped;
      stopped.end = ProcessEnd::kStopped;
      return stopped;
    }
    return Execution(spec, sink, groups_.get()).Run(supervisor_, stop);
  }

 private:
  const std::string supervisor_;
  const std::shared_ptr<CommandGroups> groups_;
};

}  // namespace

std::unique_ptr<ProcessRunner> MakePosixProcessRunner(std::string supervisor,
                                                      std::shared_ptr<CommandGroups> groups) {
  return std::make_unique<PosixProcessRunner>(std::move(supervisor), std::move(groups));
}

}  // namespace swage
