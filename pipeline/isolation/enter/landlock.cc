#include "pipeline/isolation/enter/landlock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>

namespace swage {
namespace {

// The same numbers on every architecture.
constexpr long kCreateRuleset = 444;
constexpr long kAddRule = 445;
constexpr long kRestrictSelf = 446;

struct RulesetAttributes {
  std::uint64_t handled_files = 0;
  std::uint64_t handled_network = 0;
  std::uint64_t scopes = 0;
};
struct __attribute__((packed)) PathAttributes {
  std::uint64_t allowed = 0;
  std::int32_t parent = -1;
};
constexpr unsigned kVersionFlag = 1;
constexpr int kPathBeneath = 1;

enum FileRight : std::uint64_t {
  kWriteFile = 1 << 1,
  kRemoveDir = 1 << 4,
  kRemoveFile = 1 << 5,
  kMakeChar = 1 << 6,
  kMakeDir = 1 << 7,
  kMakeRegular = 1 << 8,
  kMakeSocket = 1 << 9,
  kMakeFifo = 1 << 10,
  kMakeBlock = 1 << 11,
  kMakeSymlink = 1 << 12,
  kRefer = 1 << 13,     // rename and link between folders; ABI 2
  kTruncate = 1 << 14,  // ABI 3
};
// Made anywhere by nobody: devices are doors to the machine.
constexpr std::uint64_t kDevices = kMakeChar | kMakeBlock;
constexpr std::uint64_t kInFolders = kWriteFile | kRemoveDir | kRemoveFile | kMakeDir |
                                     kMakeRegular | kMakeSocket | kMakeFifo | kMakeSymlink |
                                     kRefer | kTruncate;
constexpr std::uint64_t kOnFiles = kWriteFile | kTruncate;
constexpr std::uint64_t kScopeAbstractSockets = 1 << 0;
constexpr std::uint64_t kScopeSignals = 1 << 1;

constexpr const char* kWritableDevices[] = {"/dev/null",   "/dev/zero",    "/dev/full",
                                            "/dev/random", "/dev/urandom", "/dev/tty",
                                            "/dev/ptmx",   "/dev/pts",     "/dev/shm"};

std::size_t SizeFor(int abi) {
  return abi >= kLandlockScopes ? sizeof(RulesetAttributes) : sizeof(std::uint64_t);
}

}  // namespace

int LandlockAbi() {
  const long abi = syscall(kCreateRuleset, nullptr, 0, kVersionFlag);
  return abi > 0 ? static_cast<int>(abi) : 0;
}

Landlock::Landlock() : abi_(LandlockAbi()) {
  if (abi_ < kLandlockNeeded) {
    error_ = ENOSYS;
    return;
  }
  RulesetAttributes attributes;
  attributes.handled_files = kInFolders | kDevices;
  attributes.scopes = kScopeAbstractSockets | kScopeSignals;
  ruleset_ = static_cast<int>(syscall(kCreateRuleset, &attributes, SizeFor(abi_), 0));
  if (ruleset_ < 0) error_ = errno;
}

Landlock::~Landlock() {
  if (ruleset_ >= 0) close(ruleset_);
}

int Landlock::AllowWrites(const char* path) {
  if (error_ != 0) return error_;
  const int fd = open(path, O_PATH | O_CLOEXEC);
  if (fd < 0) return errno;
  struct stat info {};
  int error = fstat(fd, &info) == 0 ? 0 : errno;
  if (error == 0) {
    const PathAttributes attributes{S_ISDIR(info.st_mode) ? kInFolders : kOnFiles, fd};
    if (syscall(kAddRule, ruleset_, kPathBeneath, &attributes, 0) != 0) error = errno;
  }
  close(fd);
  return error;
}

void Landlock::AllowDevices() {
  for (const char* device : kWritableDevices) (void)AllowWrites(device);
}

int Landlock::Enforce() {
  if (error_ != 0) return error_;
  return syscall(kRestrictSelf, ruleset_, 0) == 0 ? 0 : errno;
}

}  // namespace swage
