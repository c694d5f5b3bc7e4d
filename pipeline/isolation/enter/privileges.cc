#include "pipeline/isolation/enter/privileges.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace swage {
namespace {

constexpr int kUsual[] = {CAP_CHOWN,  CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID,
                          CAP_SETGID, CAP_SETUID,       CAP_KILL,   CAP_NET_BIND_SERVICE};

std::uint64_t Bit(int capability) {
  return std::uint64_t{1} << capability;
}

std::uint64_t Wanted(Keep keep) {
  std::uint64_t wanted = 0;
  if (keep == Keep::kUsual) {
    for (const int capability : kUsual) wanted |= Bit(capability);
  }
  return wanted;
}

// Refused without CAP_SETPCAP: then the sets below are all there is to drop, and with
// no_new_privs nothing brings them back.
void DropBound(std::uint64_t wanted) {
  for (int capability = 0; prctl(PR_CAPBSET_READ, capability) >= 0; ++capability) {
    if ((wanted & Bit(capability)) == 0) prctl(PR_CAPBSET_DROP, capability);
  }
}

int KeepAmong(std::uint64_t wanted) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
  if (syscall(SYS_capget, &header, data) != 0) return errno;
  for (int half = 0; half < 2; ++half) {
    const auto allowed = static_cast<std::uint32_t>(wanted >> (32 * half));
    data[half].effective &= allowed;
    data[half].permitted &= allowed;
    data[half].inheritable = 0;
  }
  return syscall(SYS_capset, &header, data) == 0 ? 0 : errno;
}

}  // namespace

int GainNoPrivileges() {
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? 0 : errno;
}

int DropCapabilities(Keep keep) {
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  const std::uint64_t wanted = Wanted(keep);
  DropBound(wanted);
  return KeepAmong(wanted);
}

// The raw calls: libc's also look for threads to take along, of which there are none.
int BecomeUser(uid_t uid, gid_t gid) {
  DropBound(0);  // which the user may not do any more
  if (syscall(SYS_setgroups, 0, nullptr) != 0) return errno;
  if (syscall(SYS_setresgid, gid, gid, gid) != 0) return errno;
  return syscall(SYS_setresuid, uid, uid, uid) == 0 ? 0 : errno;
}

}  // namespace swage
