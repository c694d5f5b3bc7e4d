#include "pipeline/isolation/enter/seccomp.h"

#include <asm/unistd.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <initializer_list>

namespace swage {
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#else
#error "the numbers of this architecture's system calls are not known here"
#endif

// Numbers that Debian 12's headers lack; from 424 on they are the same everywhere.
constexpr std::uint32_t kFchmodat2 = 452;
constexpr std::uint32_t kMountSetattr = 442;
constexpr std::uint32_t kQuotactlFd = 443;
constexpr std::uint32_t kNewestKnown = 462;  // mseal

constexpr std::uint32_t kRefused[] = {
    // another view of the file system
    __NR_mount,
    __NR_umount2,
    __NR_pivot_root,
    __NR_chroot,
    __NR_open_tree,
    __NR_move_mount,
    __NR_fsopen,
    __NR_fsconfig,
    __NR_fsmount,
    __NR_fspick,
    kMountSetattr,
    __NR_setns,
    __NR_open_by_handle_at,
    __NR_swapon,
    __NR_swapoff,
    __NR_quotactl,
    kQuotactlFd,
    __NR_fanotify_init,
    // the kernel itself
    __NR_bpf,
    __NR_perf_event_open,
    __NR_userfaultfd,
    __NR_io_uring_setup,
    __NR_io_uring_enter,
    __NR_io_uring_register,
    __NR_init_module,
    __NR_finit_module,
    __NR_delete_module,
    __NR_kexec_load,
    __NR_reboot,
    __NR_syslog,
    __NR_acct,
    __NR_lookup_dcookie,
    __NR_nfsservctl,
    __NR_vhangup,
    __NR_settimeofday,
    __NR_clock_settime,
    __NR_sethostname,
    __NR_setdomainname,
    // keys of the session that the bot was started in
    __NR_add_key,
    __NR_request_key,
    __NR_keyctl,
#if defined(__NR_kexec_file_load)
    __NR_kexec_file_load,
#endif
#if defined(__x86_64__)
    __NR_iopl,
    __NR_ioperm,
    __NR__sysctl,
    __NR_uselib,
    __NR_ustat,
#endif
};

constexpr std::uint32_t kNewNamespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS |
                                         CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
constexpr std::uint32_t kNewTime = 0x80;      // CLONE_NEWTIME; of unshare alone, for clone a signal
constexpr std::uint32_t kPushInput = 0x5412;  // TIOCSTI: types into somebody's terminal
constexpr std::uint32_t kConsoleOps = 0x541C;  // TIOCLINUX: pastes into the console

// A program of the kernel's filter machine. Every test stands alone: what it does not refuse falls
// through to the next.
class Program {
 public:
  void Load(std::size_t offset) {
    Add(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset)));
  }
  void LoadArgument(int n) {  // its low half, which is all of it here
    Load(offsetof(seccomp_data, args) + static_cast<std::size_t>(n) * sizeof(std::uint64_t));
  }
  void LoadNumber() { Load(offsetof(seccomp_data, nr)); }
  void ReturnUnlessEqual(std::uint32_t value, std::uint32_t verdict) {
    Add(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 1, 0));
    Return(verdict);
  }
  void ReturnIfEqual(std::uint32_t value, std::uint32_t verdict) {
    Add(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1));
    Return(verdict);
  }
  void ReturnIfAbove(std::uint32_t value, std::uint32_t verdict) {
    Add(BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, value, 0, 1));
    Return(verdict);
  }
  void ReturnIfAny(std::uint32_t bits, std::uint32_t verdict) {
    Add(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, 0, 1));
    Return(verdict);
  }
  void Return(std::uint32_t verdict) { Add(BPF_STMT(BPF_RET | BPF_K, verdict)); }

  /// What `tests` adds runs for this call alone, which is allowed when none of them refuses.
  template <class F>
  void For(std::uint32_t number, F tests) {
    const std::size_t jump = size_;
    Add(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 0));
    tests();
    Return(SECCOMP_RET_ALLOW);
    code_[jump].jf = static_cast<std::uint8_t>(size_ - jump - 1);
  }

  int Install() {
    if (overflow_) return E2BIG;
    const sock_fprog program{static_cast<unsigned short>(size_), code_};
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0 ? 0 : errno;
  }

 private:
  void Add(sock_filter instruction) {
    if (size_ == kMax) {
      overflow_ = true;
      return;
    }
    code_[size_++] = instruction;
  }

  static constexpr std::size_t kMax = 512;
  sock_filter code_[kMax];
  std::size_t size_ = 0;
  bool overflow_ = false;
};

constexpr std::uint32_t Refuse(int error) {
  return SECCOMP_RET_ERRNO | (static_cast<std::uint32_t>(error) & SECCOMP_RET_DATA);
}

void CheckSocketFamily(Program& program, std::uint32_t number) {
  program.For(number, [&] {
    program.LoadArgument(0);
    for (const int family : {AF_UNIX, AF_INET, AF_INET6}) {
      program.ReturnIfEqual(static_cast<std::uint32_t>(family), SECCOMP_RET_ALLOW);
    }
    program.ReturnUnlessEqual(AF_NETLINK, Refuse(EAFNOSUPPORT));
    // Protocol 0, the routing table: what lists the network's interfaces.
    program.LoadArgument(2);
    program.ReturnUnlessEqual(0, Refuse(EAFNOSUPPORT));
  });
}

void CheckBits(Program& program, std::uint32_t number, int argument, std::uint32_t bits) {
  program.For(number, [&] {
    program.LoadArgument(argument);
    program.ReturnIfAny(bits, Refuse(EPERM));
  });
}

}  // namespace

int RefuseSystemCalls() {
  static Program program;
  program.Load(offsetof(seccomp_data, arch));
  program.ReturnUnlessEqual(kArchitecture, SECCOMP_RET_KILL_PROCESS);
  program.LoadNumber();
  // The 32-bit variant of x86-64 among them, whose numbers begin at 1 << 30.
  program.ReturnIfAbove(kNewestKnown, Refuse(ENOSYS));
  for (const std::uint32_t number : kRefused) program.ReturnIfEqual(number, Refuse(EPERM));
  // Its flags are behind a pointer, where no filter can look; C libraries then use clone.
  program.ReturnIfEqual(__NR_clone3, Refuse(ENOSYS));
  CheckBits(program, __NR_clone, 0, kNewNamespaces);
  CheckBits(program, __NR_unshare, 0, kNewNamespaces | kNewTime);
  CheckSocketFamily(program, __NR_socket);
  CheckSocketFamily(program, __NR_socketpair);
  program.For(__NR_ioctl, [] {
    program.LoadArgument(1);
    program.ReturnIfEqual(kPushInput, Refuse(EPERM));
    program.ReturnIfEqual(kConsoleOps, Refuse(EPERM));
  });
  CheckBits(program, __NR_fchmod, 1, S_ISUID);
  CheckBits(program, __NR_fchmodat, 2, S_ISUID);
  CheckBits(program, kFchmodat2, 2, S_ISUID);
#if defined(__NR_chmod)
  CheckBits(program, __NR_chmod, 1, S_ISUID);
#endif
  program.Return(SECCOMP_RET_ALLOW);
  return program.Install();
}

}  // namespace swage
