// swage-escape: one attempt to get out of an enclosure, as a real program inside of it.
//
//   swage-escape ATTEMPT [ARGUMENT...]     exit code 0: it got through; 3: it was stopped
//
// What each attempt proves is in attempts.cc. Used by `swage doctor isolation` and by the tests:
// nothing here harms a machine on which it gets through. Linked statically, so that it runs in any
// root file system.
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

#include "pipeline/isolation/attempts/take.h"
#include "pipeline/isolation/attempts/verdict.h"

namespace {

using swage::kStopped;
using swage::kThrough;
constexpr int kUsage = 64;

constexpr unsigned kSurvivorSeconds = 10;  // then it goes by itself
constexpr int kMostProcesses = 4096;
constexpr std::size_t kReadBytes = 64 << 10;

int Verdict(bool through) {
  return through ? kThrough : kStopped;
}

bool Contains(const char* bytes, std::size_t size, const char* word) {
  return memmem(bytes, size, word, std::strlen(word)) != nullptr;
}

bool FileContains(const char* path, const char* word) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  static char bytes[kReadBytes];
  const ssize_t n = read(fd, bytes, sizeof bytes);
  close(fd);
  return n > 0 && Contains(bytes, static_cast<std::size_t>(n), word);
}

bool WritesFile(const char* path) {
  const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0) return false;
  const bool wrote = write(fd, "escaped\n", 8) == 8;
  close(fd);
  return wrote;
}

bool Joins(char (&out)[4096], const char* a, const char* b) {
  return std::snprintf(out, sizeof out, "%s%s", a, b) < static_cast<int>(sizeof out);
}

// --- files ---------------------------------------------------------------------------------------

// PATH: a new file, in a folder that everybody may write.
int Write(char** arguments) {
  return Verdict(WritesFile(arguments[0]));
}

// PATH: an existing file is changed, emptied, moved or removed.
int Change(char** arguments) {
  const char* path = arguments[0];
  char moved[4096];
  if (!Joins(moved, path, ".moved")) return kUsage;
  const int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
  const bool wrote = fd >= 0 && write(fd, "escaped\n", 8) == 8;
  return Verdict(wrote || truncate(path, 0) == 0 || rename(path, moved) == 0 || unlink(path) == 0);
}

// PATH: the same through a link in the workspace.
int WriteThroughLink(char** arguments) {
  unlink("way-out");
  if (symlink(arguments[0], "way-out") != 0) return kUsage;
  return Verdict(WritesFile("way-out"));
}

// PATH: through the root of some process that sees the machine.
int WriteThroughRoots(char** arguments) {
  for (int pid = 1; pid <= kMostProcesses; ++pid) {
    char path[4096];
    std::snprintf(path, sizeof path, "/proc/%d/root%s", pid, arguments[0]);
    if (WritesFile(path)) return kThrough;
  }
  char path[4096];
  std::snprintf(path, sizeof path, "/proc/%d/root%s", getppid(), arguments[0]);
  return Verdict(WritesFile(path));
}

// PATH WORD
int Read(char** arguments) {
  return Verdict(FileContains(arguments[0], arguments[1]));
}

// Knobs that change the machine. Opened, never written.
int OpenKnobs(char**) {
  for (const char* knob :
       {"/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sysrq-trigger",
        "/sys/kernel/uevent_helper", "/dev/mem", "/dev/kmsg", "/sys/fs/cgroup/release_agent"}) {
    if (open(knob, O_WRONLY | O_CLOEXEC) >= 0) return kThrough;
  }
  return kStopped;
}

// A device node of the machine's memory, and of the disk that holds this directory.
int MakeDevice(char**) {
  struct stat here {};
  stat(".", &here);
  for (const dev_t device : {makedev(1, 1), here.st_dev}) {
    unlink("device");
    const mode_t kind = device == here.st_dev ? S_IFBLK : S_IFCHR;
    if (mknod("device", kind | 0600, device) != 0) continue;
    unlink("device");
    return kThrough;
  }
  return kStopped;
}

// A mount in this mount namespace, or in one made for it.
int Mount(char**) {
  mkdir("mounted", 0700);
  if (mount("none", "mounted", "tmpfs", 0, nullptr) != 0) return kStopped;
  umount2("mounted", MNT_DETACH);
  return kThrough;
}

int NewNamespaces(char**) {
  const pid_t child = fork();
  if (child == 0) {
    if (unshare(CLONE_NEWUSER) == 0 || unshare(CLONE_NEWNS) == 0 || unshare(CLONE_NEWNET) == 0) {
      _exit(kThrough);
    }
    std::uint64_t arguments[11] = {CLONE_NEWUSER};  // struct clone_args: flags come first
    arguments[4] = SIGCHLD;
    const long made = syscall(SYS_clone3, arguments, sizeof arguments);
    if (made == 0) _exit(0);
    if (made > 0) waitpid(static_cast<pid_t>(made), nullptr, 0);
    _exit(made > 0 ? kThrough : kStopped);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : kStopped;
}

// Out of a mount namespace by a file's handle.
int OpenByHandle(char**) {
  constexpr unsigned kHandleBytes = 128;
  alignas(file_handle) char buffer[sizeof(file_handle) + kHandleBytes] = {};
  auto* handle = reinterpret_cast<file_handle*>(buffer);
  handle->handle_bytes = kHandleBytes;
  int mount_id = 0;
  if (name_to_handle_at(AT_FDCWD, ".", handle, &mount_id, 0) != 0) return kStopped;
  const int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return Verdict(open_by_handle_at(here, handle, O_RDONLY) >= 0);
}

// PROGRAM: becomes a program that runs as its owner.
int SetUser(char** arguments) {
  const int from = open(arguments[0], O_RDONLY | O_CLOEXEC);
  const int to = open("setuid", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
  char byte = 0;
  if (from < 0 || to < 0 || read(from, &byte, 1) != 1 || write(to, &byte, 1) != 1) return kUsage;
  if (chmod("setuid", 04755) != 0 && fchmod(to, 04755) != 0) return kStopped;
  struct stat made {};
  return Verdict(fstat(to, &made) == 0 && (made.st_mode & S_ISUID) != 0);
}

// --- processes -----------------------------------------------------------------------------------

// WORD: in the environment of any process that can be seen.
int ReadEnvironments(char** arguments) {
  DIR* processes = opendir("/proc");
  if (processes == nullptr) return kStopped;
  while (const dirent* entry = readdir(processes)) {
    if (std::atoi(entry->d_name) == 0 || std::atoi(entry->d_name) == getpid()) continue;
    char path[300];
    std::snprintf(path, sizeof path, "/proc/%s/environ", entry->d_name);
    if (FileContains(path, arguments[0])) return kThrough;
  }
  return kStopped;
}

// PID ADDRESS WORD: the memory of a process outside, by each of the three ways.
int ReadMemory(char** arguments) {
  const pid_t pid = std::atoi(arguments[0]);
  const auto address = static_cast<off_t>(std::strtoull(arguments[1], nullptr, 16));
  const char* word = arguments[2];
  char bytes[256] = {};
  const iovec local{bytes, sizeof bytes};
  const iovec remote{reinterpret_cast<void*>(address), sizeof bytes};
  const ssize_t n = process_vm_readv(pid, &local, 1, &remote, 1, 0);
  if (n > 0 && Contains(bytes, static_cast<std::size_t>(n), word)) return kThrough;
  char path[64];
  std::snprintf(path, sizeof path, "/proc/%d/mem", pid);
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd >= 0 && pread(fd, bytes, sizeof bytes, address) > 0 &&
      Contains(bytes, sizeof bytes, word)) {
    return kThrough;
  }
  if (ptrace(PTRACE_ATTACH, pid, nullptr, nullptr) != 0) return kStopped;
  waitpid(pid, nullptr, 0);
  ptrace(PTRACE_DETACH, pid, nullptr, nullptr);
  return kThrough;
}

// PID: of a process outside, which only this attempt is allowed to end.
int Kill(char** arguments) {
  return Verdict(kill(std::atoi(arguments[0]), SIGKILL) == 0);
}

// Whoever supervises this process is ended; then nobody is left to clean up.
int KillSupervisor(char**) {
  const pid_t parent = getppid();
  if (kill(parent, SIGSTOP) != 0) return kStopped;
  // A signal may be taken and still have no effect: the first process of a namespace ignores it.
  char path[64];
  std::snprintf(path, sizeof path, "/proc/%d/stat", parent);
  for (int i = 0; i < 10; ++i) {
    usleep(10'000);
    if (!FileContains(path, ") T ")) continue;
    kill(parent, SIGCONT);
    return kThrough;
  }
  return kStopped;
}

// PATH: a process in a session of its own, two generations away and deaf to polite signals, that
// holds the lock of PATH for as long as it lives.
int Survive(char** arguments) {
  const int fd = open(arguments[0], O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  int ready[2];
  if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) != 0 || pipe(ready) != 0) return kUsage;
  if (fork() == 0) {
    setsid();
    if (fork() != 0) _exit(0);
    for (const int number : {SIGTERM, SIGHUP, SIGINT}) ::signal(number, SIG_IGN);
    (void)!write(ready[1], "x", 1);
    const int null = open("/dev/null", O_RDWR);
    for (int standard = 0; standard <= 2; ++standard) dup2(null, standard);
    sleep(kSurvivorSeconds);
    _exit(0);
  }
  // Not before it lives: otherwise nothing would have been attempted.
  char byte = 0;
  return Verdict(read(ready[0], &byte, 1) == 1);
}

// --- network and sockets -------------------------------------------------------------------------

bool Connects(int family, const sockaddr* address, socklen_t size) {
  const int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const bool connected = connect(fd, address, size) == 0;
  close(fd);
  return connected;
}

// ADDRESS PORT
int ConnectTcp(char** arguments) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(arguments[1])));
  if (inet_pton(AF_INET, arguments[0], &address.sin_addr) != 1) return kUsage;
  return Verdict(Connects(AF_INET, reinterpret_cast<const sockaddr*>(&address), sizeof address));
}

// PATH, or NAME of an abstract one
int ConnectUnix(const char* name, bool abstract) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::size_t length = std::strlen(name);
  const std::size_t from = abstract ? 1 : 0;
  if (length + 2 > sizeof address.sun_path) return kUsage;
  std::memcpy(address.sun_path + from, name, length);
  const auto size =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + from + length + (abstract ? 0 : 1));
  return Verdict(Connects(AF_UNIX, reinterpret_cast<const sockaddr*>(&address), size));
}
int ConnectPath(char** arguments) {
  return ConnectUnix(arguments[0], false);
}
int ConnectAbstract(char** arguments) {
  return ConnectUnix(arguments[0], true);
}

// Any way to another machine: an interface beside the loopback one, which a route follows.
int SeeNetwork(char**) {
  struct if_nameindex* interfaces = if_nameindex();
  if (interfaces == nullptr) return kStopped;
  for (const auto* i = interfaces; i->if_index != 0; ++i) {
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ifreq request{};
    std::strncpy(request.ifr_name, i->if_name, sizeof request.ifr_name - 1);
    const bool known = ioctl(fd, SIOCGIFFLAGS, &request) == 0;
    close(fd);
    if (known && (request.ifr_flags & IFF_LOOPBACK) == 0 && (request.ifr_flags & IFF_UP) != 0) {
      return kThrough;
    }
  }
  return kStopped;
}

// Families that do not care for network namespaces, or give the whole of one.
int OpenOddSockets(char**) {
  constexpr int kVsock = 40;
  constexpr int kPacket = 17;
  constexpr int kNetlink = 16;
  constexpr int kConnector = 11;
  constexpr int kAlg = 38;
  return Verdict(socket(kVsock, SOCK_STREAM, 0) >= 0 || socket(kPacket, SOCK_RAW, 0) >= 0 ||
                 socket(kAlg, SOCK_SEQPACKET, 0) >= 0 ||
                 socket(kNetlink, SOCK_RAW, kConnector) >= 0);
}

// --- the kernel ----------------------------------------------------------------------------------

int ReadKeys(char**) {
  constexpr int kGetKeyring = 0;
  constexpr int kSession = -3;
  constexpr int kMakeOne = 1;
  return Verdict(syscall(SYS_keyctl, kGetKeyring, kSession, kMakeOne) >= 0);
}

// Calls that reach deep: refused by the filter whoever asks, so that EPERM (a missing right) is no
// proof, and wrong arguments get far enough to tell.
int DeepCalls(char**) {
  const long ring = syscall(SYS_io_uring_setup, 1, nullptr);
  if (ring >= 0 || errno == EFAULT) return kThrough;
  const long fault = syscall(SYS_userfaultfd, 0);
  if (fault >= 0) return kThrough;
  const long bpf = syscall(SYS_bpf, 0, nullptr, 0);
  if (bpf >= 0 || errno == EINVAL || errno == EFAULT) return kThrough;
  const long perf = syscall(SYS_perf_event_open, nullptr, 0, -1, -1, 0);
  return Verdict(perf >= 0 || errno == EFAULT);
}

// Typing into a terminal: one of its own, which the kernel treats as it does any other.
int TypeIntoTerminal(char**) {
  const int main_end = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
  int unlock = 0;
  int number = 0;
  if (main_end < 0 || ioctl(main_end, TIOCSPTLCK, &unlock) != 0 ||
      ioctl(main_end, TIOCGPTN, &number) != 0) {
    return kStopped;
  }
  char name[64];
  std::snprintf(name, sizeof name, "/dev/pts/%d", number);
  setsid();
  const int terminal = open(name, O_RDWR | O_CLOEXEC);
  ioctl(terminal, TIOCSCTTY, 0);
  return Verdict(terminal >= 0 && ioctl(terminal, TIOCSTI, "x") == 0);
}

int KeepDescriptors(char**) {
  for (int fd = 3; fd < 1024; ++fd) {
    if (fcntl(fd, F_GETFD) >= 0) return kThrough;
  }
  return kStopped;
}

// --- what is not an attempt: the other side ------------------------------------------------------

// Waits to be attacked, with WORD in its memory and maybe its environment; says who and where.
int Wait(char** arguments) {
  static char memory[256];
  std::snprintf(memory, sizeof memory, "%s", arguments[0]);
  std::printf("%d %p\n", getpid(), static_cast<void*>(memory));
  std::fflush(stdout);
  while (true) pause();
}

struct Act {
  const char* name;
  int arguments;
  int (*run)(char**);
};
constexpr Act kActs[] = {
    {"write", 1, Write},
    {"change", 1, Change},
    {"write-through-link", 1, WriteThroughLink},
    {"write-through-roots", 1, WriteThroughRoots},
    {"read", 2, Read},
    {"open-knobs", 0, OpenKnobs},
    {"make-device", 0, MakeDevice},
    {"mount", 0, Mount},
    {"new-namespaces", 0, NewNamespaces},
    {"open-by-handle", 0, OpenByHandle},
    {"set-user", 1, SetUser},
    {"read-environments", 1, ReadEnvironments},
    {"read-memory", 3, ReadMemory},
    {"kill", 1, Kill},
    {"kill-supervisor", 0, KillSupervisor},
    {"survive", 1, Survive},
    {"connect-tcp", 2, ConnectTcp},
    {"connect-path", 1, ConnectPath},
    {"connect-abstract", 1, ConnectAbstract},
    {"see-network", 0, SeeNetwork},
    {"open-odd-sockets", 0, OpenOddSockets},
    {"read-keys", 0, ReadKeys},
    {"deep-calls", 0, DeepCalls},
    {"type-into-terminal", 0, TypeIntoTerminal},
    {"keep-descriptors", 0, KeepDescriptors},
    {"take-memory", 2, swage::take::Memory},
    {"take-nameless-memory", 2, swage::take::NamelessMemory},
    {"take-processes", 2, swage::take::Processes},
    {"take-threads", 2, swage::take::Threads},
    {"take-disk", 2, swage::take::Disk},
    {"take-nameless-disk", 2, swage::take::NamelessDisk},
    {"wait", 1, Wait},
};

}  // namespace

int main(int argc, char** argv) {
  for (const Act& act : kActs) {
    if (argc != act.arguments + 2 || std::strcmp(argv[1], act.name) != 0) continue;
    return act.run(argv + 2);
  }
  std::fprintf(stderr, "swage-escape: no such attempt\n");
  return kUsage;
}
