// Landlock: keeps a process and all that it starts from writing outside of given folders, from
// signalling and tracing anybody outside, and from abstract sockets of others. Needs no privilege.
//
// It does not keep anybody from reading, from changing modes and times of files they own, or from
// the network. Debian 12's headers lack half of it: the numbers are the kernel's ABI (uapi
// linux/landlock.h). For programs without the C++ library.
#pragma once

namespace swage {

/// The ABI of the running kernel; 0 = there is none, or it is switched off.
int LandlockAbi();
/// From this ABI on truncating is guarded too: with less, files outside could be emptied.
inline constexpr int kLandlockNeeded = 3;
/// From this ABI on signals and abstract sockets are guarded too.
inline constexpr int kLandlockScopes = 6;

/// The folders (and files) that stay writable, and the devices that every tool writes to. Holds a
/// descriptor.
class Landlock {
 public:
  Landlock();
  ~Landlock();
  Landlock(const Landlock&) = delete;
  Landlock& operator=(const Landlock&) = delete;

  /// 0 or an errno, ENOENT among them.
  int AllowWrites(const char* path);
  /// /dev/null, terminals, shared memory: whichever are there.
  void AllowDevices();
  /// For this process from now on; it must not be able to gain privileges. 0 or an errno.
  int Enforce();

 private:
  int abi_;
  int ruleset_ = -1;
  int error_ = 0;
};

}  // namespace swage
