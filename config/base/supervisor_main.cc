// swage-supervise: stands between the bot and every command it runs, so that nothing of the command
// outlives its run.
//
// It is the subreaper of the command's tree: a descendant that calls setsid or forks twice is
// reparented to it instead of init, and so stays reachable. When the command ends, when the runner
// says so, or when the runner dies (end of file on the control pipe), it signals every descendant
// until none is left, and only then reports. Linked statically and free of the C++ library's
// machinery: it starts in well under a millisecond and the environment of the command (LD_PRELOAD,
// LD_LIBRARY_PATH) cannot change it.
//
// What it cannot do: a command of the same user may kill it with SIGKILL. The command and its
// process group die then too (PR_SET_PDEATHSIG, and the runner); containing the rest is the work of
// the sandbox levels.
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <initializer_list>

#include "config/base/execute.h"
#include "config/base/start_report.h"
#include "config/base/supervisor_protocol.h"

namespace {

using swage::SupervisorOutcome;
using swage::SupervisorReport;

constexpr int kMaxTree = 16 << 10;  // processes signalled in one walk; the next walk finds the rest
constexpr int kKillPauseMs = 5;     // between two walks that kill
constexpr int kMaxKillWalks = 1000;  // 5 s: what survives that is stuck in the kernel

constexpr int kTryPauseMs = 3000;  // how long an attempt holds what it got
constexpr int kMaxTries = 4096;

// Shared with the child between vfork and execve.
volatile int start_error = 0;
// Asked before anything of ours can have taken the number.
bool reports_start = false;
volatile bool fence_failed = false;

struct Fence {
  int groups = 0;
  unsigned long file_bytes = 0;
  unsigned long open_files = 0;
  unsigned long processes = 0;
};

long NowMs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1'000'000;
}

int Report(const SupervisorReport& report) {
  return write(swage::kSupervisorReportFd, &report, sizeof report) == sizeof report ? 0 : 1;
}

// Soft and hard; what is stricter already stays.
bool Cap(int resource, unsigned long most) {
  rlimit limit{};
  if (getrlimit(static_cast<__rlimit_resource_t>(resource), &limit) != 0) return false;
  if (most < limit.rlim_max) limit.rlim_max = most;
  limit.rlim_cur = limit.rlim_max;
  return setrlimit(static_cast<__rlimit_resource_t>(resource), &limit) == 0;
}

// Whoever cannot be limited is not started. "0" is the process that writes it.
bool Enter(const Fence& fence) {
  for (int i = 0; i < fence.groups; ++i) {
    if (write(swage::kSupervisorGroupFd + i, "0", 1) != 1) return false;
  }
  if (fence.file_bytes != 0 && !Cap(RLIMIT_FSIZE, fence.file_bytes)) return false;
  if (fence.open_files != 0 && !Cap(RLIMIT_NOFILE, fence.open_files)) return false;
  if (fence.processes != 0 && !Cap(RLIMIT_NPROC, fence.processes)) return false;
  // A core file would end up in the workspace, and from there in the commit.
  return Cap(RLIMIT_CORE, 0);
}

// A session of its own: `kill 0` inside the command must not reach the supervisor.
pid_t Start(const Fence& fence, char** argv) {
  const pid_t child = vfork();
  if (child != 0) return child;
  setsid();
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  if (!Enter(fence)) {
    start_error = errno;
    fence_failed = true;
    _exit(127);
  }
  // Before the command can do anything, also to its supervisor.
  Report({SupervisorOutcome::kStarted, getpid(), 0, 0, 0, 0});
  // Over the control descriptor, whose work in this process is done.
  if (reports_start) {
    dup2(swage::kSupervisorStartFd, swage::kStartReportFd);
  }
  start_error = swage::Execute(argv);
  _exit(127);
}

struct ProcessStat {
  char state = 'X';
  pid_t parent = 0;
};

ProcessStat ReadStat(pid_t pid) {
  char name[64];
  std::snprintf(name, sizeof name, "/proc/%d/stat", pid);
  const int fd = open(name, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  char text[512];
  const ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  if (n <= 0) return {};
  text[n] = '\0';
  // The name may hold anything, also ')': the fields start after the last one.
  const char* fields = std::strrchr(text, ')');
  ProcessStat stat;
  if (fields == nullptr || std::sscanf(fields + 1, " %c %d", &stat.state, &stat.parent) != 2)
    return {};
  return stat;
}

struct Entry {
  pid_t pid;
  pid_t parent;
};
Entry tree[kMaxTree];

// Appends the children of one thread, as the kernel lists them: decimal numbers and blanks.
int AppendChildrenOfThread(const char* file, pid_t parent, int count) {
  const int fd = open(file, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return count;
  char text[4096];
  pid_t pid = 0;
  ssize_t n = 0;
  while ((n = read(fd, text, sizeof text)) > 0) {
    for (ssize_t i = 0; i < n; ++i) {
      if (text[i] >= '0' && text[i] <= '9') {
        pid = pid * 10 + (text[i] - '0');
      } else if (pid != 0) {
        if (count < kMaxTree) tree[count++] = {pid, parent};
        pid = 0;
      }
    }
  }
  close(fd);
  return count;
}

int AppendChildren(pid_t parent, int count) {
  char name[64];
  std::snprintf(name, sizeof name, "/proc/%d/task", parent);
  DIR* threads = opendir(name);
  if (threads == nullptr) return count;
  while (const dirent* thread = readdir(threads)) {
    if (thread->d_name[0] == '.') continue;
    char file[128];
    std::snprintf(file, sizeof file, "/proc/%d/task/%d/children", parent,
                  std::atoi(thread->d_name));
    count = AppendChildrenOfThread(file, parent, count);
  }
  closedir(threads);
  return count;
}

// Through a pidfd, and only while the process still has the parent under which it was found: a
// number that was given to a stranger in between is never signalled.
bool Signal(const Entry& entry, int signal) {
  const int fd = static_cast<int>(syscall(SYS_pidfd_open, entry.pid, 0));
  if (fd < 0) return false;
  const ProcessStat stat = ReadStat(entry.pid);
  const bool ours = (stat.parent == entry.parent || stat.parent == getpid()) && stat.state != 'Z' &&
                    stat.state != 'X';
  const bool sent = ours && syscall(SYS_pidfd_send_signal, fd, signal, nullptr, 0) == 0;
  close(fd);
  return sent;
}

// Parents before children, breadth first. Returns how many living descendants it signalled.
int SignalTree(int signal) {
  int count = AppendChildren(getpid(), 0);
  for (int i = 0; i < count; ++i) count = AppendChildren(tree[i].pid, count);
  int signalled = 0;
  for (int i = 0; i < count; ++i) signalled += Signal(tree[i], signal) ? 1 : 0;
  return signalled;
}

enum class Phase { kRunning, kTerminating, kKilling };

class Supervisor {
 public:
  Supervisor(pid_t child, long grace_ms, int signals)
      : child_(child), grace_ms_(grace_ms), signals_(signals) {}

  SupervisorReport Run() {
    int walks = 0;
    while (Reap()) {
      if (child_ended_ && phase_ == Phase::kRunning) {
        Terminate();
        report_.leftover = signalled_;
      }
      if (phase_ == Phase::kTerminating && NowMs() >= deadline_ms_) phase_ = Phase::kKilling;
      if (phase_ == Phase::kKilling) {
        if (++walks > kMaxKillWalks) break;
        SignalTree(SIGKILL);
      }
      Wait();
    }
    AddUse();
    return report_;
  }

 private:
  // Collects whatever ended; false when no child, own or adopted, is left.
  bool Reap() {
    int status = 0;
    pid_t pid = 0;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
      if (pid != child_) continue;
      child_ended_ = true;
      const bool signalled = WIFSIGNALED(status);
      report_.outcome = signalled ? SupervisorOutcome::kSignalled : SupervisorOutcome::kExited;
      report_.value = signalled ? WTERMSIG(status) : WEXITSTATUS(status);
    }
    return pid == 0 || errno == EINTR;
  }

  void AddUse() {
    rusage use{};
    if (getrusage(RUSAGE_CHILDREN, &use) != 0) return;
    report_.cpu_us = (use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1'000'000L +
                     use.ru_utime.tv_usec + use.ru_stime.tv_usec;
    report_.peak_rss_kib = use.ru_maxrss;
  }

  void Terminate() {
    phase_ = Phase::kTerminating;
    deadline_ms_ = NowMs() + grace_ms_;
    signalled_ = SignalTree(SIGTERM);
  }

  void Stop(bool at_once) {
    if (!child_ended_) report_.stopped = 1;
    if (phase_ == Phase::kRunning) Terminate();
    if (at_once) phase_ = Phase::kKilling;
  }

  void Wait() {
    pollfd fds[] = {{control_, POLLIN, 0}, {signals_, POLLIN, 0}};
    const long remaining = deadline_ms_ - NowMs();
    const int timeout = phase_ == Phase::kRunning ? -1
                        : phase_ == Phase::kTerminating
                            ? static_cast<int>(remaining > 0 ? remaining : 0)
                            : kKillPauseMs;
    if (poll(fds, 2, timeout) <= 0) return;
    if (fds[1].revents != 0) {
      signalfd_siginfo info{};
      while (read(signals_, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
        if (info.ssi_signo != SIGCHLD) Stop(false);
      }
    }
    if (fds[0].revents != 0) {
      char byte = 0;
      const bool runner_died = read(control_, &byte, 1) != 1;
      if (runner_died) control_ = -1;  // poll ignores negative descriptors
      Stop(runner_died || byte == swage::kSupervisorKill);
    }
  }

  const pid_t child_;
  const long grace_ms_;
  const int signals_;
  int control_ = swage::kSupervisorControlFd;
  Phase phase_ = Phase::kRunning;
  long deadline_ms_ = 0;
  int signalled_ = 0;
  bool child_ended_ = false;
  SupervisorReport report_;
};

// Touched page by page: what is only reserved counts nowhere.
int TryMemory(long mib) {
  for (long i = 0; i < mib; ++i) {
    char* block = static_cast<char*>(std::malloc(1 << 20));
    if (block == nullptr) return swage::kTryRefused;
    for (long at = 0; at < 1 << 20; at += 1024) const_cast<volatile char*>(block)[at] = 1;
  }
  usleep(kTryPauseMs * 1000);
  return 0;
}

int TryProcesses(long count) {
  for (long i = 0; i < count; ++i) {
    const pid_t child = fork();
    if (child < 0) return swage::kTryRefused;
    if (child == 0) {
      usleep(kTryPauseMs * 1000);
      _exit(0);
    }
  }
  usleep(kTryPauseMs * 1000);
  return 0;
}

int TryCpu(long ms) {
  const long end = NowMs() + ms;
  while (NowMs() < end) {
  }
  return 0;
}

int TryDisk(long mib) {
  const int fd = open("try-disk", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  static char block[1 << 20];
  for (long i = 0; i < mib; ++i) {
    if (write(fd, block, sizeof block) != sizeof block) return swage::kTryRefused;
  }
  usleep(kTryPauseMs * 1000);
  return 0;
}

int Try(const char* what, long amount) {
  if (amount < 0 || amount > kMaxTries) return 64;
  if (std::strcmp(what, "memory") == 0) return TryMemory(amount);
  if (std::strcmp(what, "processes") == 0) return TryProcesses(amount);
  if (std::strcmp(what, "cpu") == 0) return TryCpu(amount);
  if (std::strcmp(what, "disk") == 0) return TryDisk(amount);
  return 64;
}

int ReportNotStarted(SupervisorOutcome outcome, int error) {
  return Report({outcome, error, 0, 0, 0, 0});
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 4 && std::strcmp(argv[1], "--try") == 0) return Try(argv[2], std::atol(argv[3]));
  Fence fence;
  if (argc < 5 || std::sscanf(argv[3], "%d:%lu:%lu:%lu", &fence.groups, &fence.file_bytes,
                              &fence.open_files, &fence.processes) != 4) {
    return 64;
  }
  fcntl(swage::kSupervisorControlFd, F_SETFD, FD_CLOEXEC);
  fcntl(swage::kSupervisorReportFd, F_SETFD, FD_CLOEXEC);
  reports_start = fcntl(swage::kSupervisorStartFd, F_SETFD, FD_CLOEXEC) == 0;
  for (int i = 0; i < fence.groups; ++i) {
    fcntl(swage::kSupervisorGroupFd + i, F_SETFD, FD_CLOEXEC);
  }
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  sigset_t handled;
  sigemptyset(&handled);
  for (const int signal : {SIGCHLD, SIGTERM, SIGINT, SIGHUP}) sigaddset(&handled, signal);
  sigprocmask(SIG_BLOCK, &handled, nullptr);
  const int signals = signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK);

  if (chdir(argv[2]) != 0) return ReportNotStarted(SupervisorOutcome::kNoDirectory, errno);
  const pid_t child = Start(fence, argv + 4);
  if (child < 0) return ReportNotStarted(SupervisorOutcome::kNotStarted, errno);
  if (start_error != 0) {
    return ReportNotStarted(
        fence_failed ? SupervisorOutcome::kNotFenced : SupervisorOutcome::kNotStarted, start_error);
  }
  // The runner sees the end of the output when the command's own copies are gone; and whoever
  // removes a group must not find it open here.
  for (const int fd : {0, 1, 2, swage::kSupervisorStartFd}) close(fd);
  for (int i = 0; i < fence.groups; ++i) close(swage::kSupervisorGroupFd + i);
  return Report(Supervisor(child, std::atol(argv[1]), signals).Run());
}
