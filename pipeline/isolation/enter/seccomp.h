// The system calls that no command of a task gets, at any level.
//
// A list of what is refused, not of what is allowed: the commands are any toolchain there is, and
// an allow-list breaks with each new one, so that people switch it off. Namespaces and Landlock are
// the walls; this closes the doors that the kernel has in them: mounts and new namespaces, keys,
// bpf, perf, io_uring, userfaultfd, modules, kexec, the clock, terminals' input queue, setuid bits,
// and all socket families but unix, IPv4, IPv6 and netlink's routing table (AF_VSOCK reaches the
// hypervisor from any network namespace). What the kernel grew after this list was written is
// refused with ENOSYS, which every C library takes as "an older kernel". Calls of another
// architecture (32 bit) end the process. Tracing is allowed: debuggers and leak checkers need it,
// and nobody but the task's own processes can be seen.
//
// For programs without the C++ library.
#pragma once

namespace swage {

/// For this process and all that it starts; it must not be able to gain privileges. 0 or an errno.
int RefuseSystemCalls();

}  // namespace swage
