// swage-enter: the first program inside an enclosure. Puts up the guards that a process can only
// put up for itself, tells that they stand (config/base/start_report.h), and becomes the command.
//
//   swage-enter [--write PATH]... [--devices] [--capabilities usual|none] [--user UID:GID]
//               [--egress SOCKET] [--seccomp] [--environment] [--chdir PATH] -- COMMAND
//               [ARGUMENT...]
//
// With --environment the command gets the variables that came hidden (hidden_environment.h) and no
// others. Every guard that is asked for stands, or the command does not start: exit code 125.
// Linked statically and free of the C++ library's machinery: it starts at once in any root file
// system, and the command's environment (LD_PRELOAD) cannot change it.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "config/base/execute.h"
#include "config/base/start_report.h"
#include "pipeline/isolation/egress_offer.h"
#include "pipeline/isolation/enter/hidden_environment.h"
#include "pipeline/isolation/enter/landlock.h"
#include "pipeline/isolation/enter/privileges.h"
#include "pipeline/isolation/enter/seccomp.h"

namespace {

using swage::StartStage;

constexpr int kNotEnclosed = 125;
constexpr int kNotExecutable = 126;
constexpr int kNoSuchCommand = 127;
constexpr int kMaxWritable = 256;

// Nobody may listen: a container engine that passes no descriptors tells by the exit code.
void Report(StartStage stage, int error) {
  const swage::StartReport report{stage, error};
  (void)!write(swage::kStartReportFd, &report, sizeof report);
}

[[noreturn]] void Fail(const char* guard, int error) {
  std::fprintf(stderr, "swage-enter: %s: %s\n", guard, std::strerror(error));
  Report(StartStage::kEnclosed, error);
  _exit(kNotEnclosed);
}

void Must(const char* guard, int error) {
  if (error != 0) Fail(guard, error);
}

struct Options {
  const char* writable[kMaxWritable];
  int writable_count = 0;
  bool guard_writes = false;
  bool devices = false;
  bool drop = false;
  swage::Keep keep = swage::Keep::kNothing;
  bool other_user = false;
  uid_t uid = 0;
  gid_t gid = 0;
  bool seccomp = false;
  bool hidden_environment = false;
  const char* egress = nullptr;  // where the proxy takes the socket on which we listen for it
  const char* directory = nullptr;
  char** command = nullptr;
};

void ReadUser(const char* text, Options& options) {
  char* end = nullptr;
  options.uid = static_cast<uid_t>(std::strtoul(text, &end, 10));
  if (end == text || *end != ':') Fail("--user", EINVAL);
  const char* group = end + 1;
  options.gid = static_cast<gid_t>(std::strtoul(group, &end, 10));
  if (end == group || *end != '\0') Fail("--user", EINVAL);
  options.other_user = true;
}

void ReadCapabilities(const char* text, Options& options) {
  options.drop = true;
  if (std::strcmp(text, "usual") == 0) {
    options.keep = swage::Keep::kUsual;
  } else if (std::strcmp(text, "none") != 0) {
    Fail("--capabilities", EINVAL);
  }
}

Options Read(char** argv) {
  Options options;
  for (++argv; *argv != nullptr && std::strcmp(*argv, "--") != 0; ++argv) {
    const char* name = *argv;
    if (std::strcmp(name, "--seccomp") == 0) {
      options.seccomp = true;
      continue;
    }
    if (std::strcmp(name, "--environment") == 0) {
      options.hidden_environment = true;
      continue;
    }
    if (std::strcmp(name, "--devices") == 0) {
      options.devices = options.guard_writes = true;
      continue;
    }
    const char* value = *++argv;
    if (value == nullptr) Fail(name, EINVAL);
    if (std::strcmp(name, "--write") == 0) {
      if (options.writable_count == kMaxWritable) Fail(name, E2BIG);
      options.writable[options.writable_count++] = value;
      options.guard_writes = true;
    } else if (std::strcmp(name, "--chdir") == 0) {
      options.directory = value;
    } else if (std::strcmp(name, "--user") == 0) {
      ReadUser(value, options);
    } else if (std::strcmp(name, "--egress") == 0) {
      options.egress = value;
    } else if (std::strcmp(name, "--capabilities") == 0) {
      ReadCapabilities(value, options);
    } else {
      Fail(name, EINVAL);
    }
  }
  if (*argv == nullptr || argv[1] == nullptr) Fail("command", EINVAL);
  options.command = argv + 1;
  return options;
}

// In place: names only become shorter, variables only fewer.
void RevealEnvironment() {
  const std::size_t prefix = std::strlen(swage::kHiddenVariable);
  char** to = environ;
  for (char** from = environ; *from != nullptr; ++from) {
    if (std::strncmp(*from, swage::kHiddenVariable, prefix) == 0) *to++ = *from + prefix;
  }
  *to = nullptr;
}

void GuardWrites(const Options& options) {
  swage::Landlock landlock;
  for (int i = 0; i < options.writable_count; ++i) {
    Must(options.writable[i], landlock.AllowWrites(options.writable[i]));
  }
  if (options.devices) landlock.AllowDevices();
  Must("landlock", landlock.Enforce());
}

}  // namespace

int main(int, char** argv) {
  fcntl(swage::kStartReportFd, F_SETFD, FD_CLOEXEC);
  const Options options = Read(argv);
  if (options.egress != nullptr) {
    Must("egress", swage::OfferEgress(options.egress, swage::kEgressDoorPort));
  }
  if (options.other_user) Must("user", swage::BecomeUser(options.uid, options.gid));
  // As the user, whose alone it may be.
  if (options.directory != nullptr && chdir(options.directory) != 0) {
    Fail(options.directory, errno);
  }
  if (options.drop) Must("capabilities", swage::DropCapabilities(options.keep));
  Must("no_new_privs", swage::GainNoPrivileges());
  if (options.guard_writes) GuardWrites(options);
  if (options.seccomp) Must("seccomp", swage::RefuseSystemCalls());
  if (options.hidden_environment) RevealEnvironment();
  Report(StartStage::kStarted, 0);
  const int error = swage::Execute(options.command);
  Report(StartStage::kExecuted, error);
  std::fprintf(stderr, "swage-enter: %s: %s\n", options.command[0], std::strerror(error));
  return error == ENOENT ? kNoSuchCommand : kNotExecutable;
}
