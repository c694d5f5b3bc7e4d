#include "pipeline/isolation/attempts/take.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "pipeline/isolation/attempts/verdict.h"

namespace swage::take {
namespace {

constexpr int kMostMib = 256;
constexpr int kMostProcesses = 256;
constexpr int kMostSeconds = 20;
constexpr int kSharers = 8;  // of the memory
constexpr std::size_t kMib = 1 << 20;
constexpr std::size_t kPage = 4096;
constexpr std::size_t kSmallStack = 64 << 10;

struct Amount {
  int of;
  int seconds;
};

Amount Read(char** arguments, int most) {
  return {std::clamp(std::atoi(arguments[0]), 0, most),
          std::clamp(std::atoi(arguments[1]), 0, kMostSeconds)};
}

int Hold(int seconds) {
  sleep(static_cast<unsigned>(seconds));
  return kThrough;
}

// Touched page by page: what is only reserved counts nowhere.
bool TouchMib(int mib) {
  const std::size_t bytes = static_cast<std::size_t>(mib) * kMib;
  void* block = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (block == MAP_FAILED) return false;
  for (std::size_t at = 0; at < bytes; at += kPage) static_cast<volatile char*>(block)[at] = 1;
  return true;
}

bool WriteMib(int fd, int mib) {
  static char block[kMib];
  std::memset(block, 'x', sizeof block);  // zeros might take no room
  for (int i = 0; i < mib; ++i) {
    if (write(fd, block, sizeof block) != static_cast<ssize_t>(sizeof block)) return false;
  }
  return true;
}

// Children that take their part, say so, and stay until their parent goes. Through if all did, and
// all still live when it has been held: who kills for memory may choose any of them.
template <class Part>
int TakeTogether(int children, int seconds, Part part) {
  int said[2];
  int stay[2];
  if (pipe(said) != 0 || pipe(stay) != 0) return kStopped;
  for (int i = 0; i < children; ++i) {
    const pid_t child = fork();
    if (child < 0) return kStopped;
    if (child > 0) continue;
    close(stay[1]);
    char byte = 0;
    const bool told = part() && write(said[1], "x", 1) == 1;
    close(said[1]);  // the parent waits for the last of these
    if (told) (void)!read(stay[0], &byte, 1);
    _exit(0);
  }
  close(said[1]);
  int took = 0;
  for (char byte = 0; took < children && read(said[0], &byte, 1) == 1;) ++took;
  if (took < children) return kStopped;
  Hold(seconds);
  return waitpid(-1, nullptr, WNOHANG) == 0 ? kThrough : kStopped;
}

}  // namespace

int Memory(char** arguments) {
  const Amount amount = Read(arguments, kMostMib);
  const int each = amount.of / kSharers;
  return TakeTogether(kSharers, amount.seconds, [each] { return TouchMib(each); });
}

int NamelessMemory(char** arguments) {
  const Amount amount = Read(arguments, kMostMib);
  const int fd = memfd_create("taken", MFD_CLOEXEC);
  return fd >= 0 && WriteMib(fd, amount.of) ? Hold(amount.seconds) : kStopped;
}

int Processes(char** arguments) {
  const Amount amount = Read(arguments, kMostProcesses);
  return TakeTogether(amount.of, amount.seconds, [] { return true; });
}

int Threads(char** arguments) {
  const Amount amount = Read(arguments, kMostProcesses);
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) != 0) return kStopped;
  pthread_attr_setstacksize(&attributes, kSmallStack);
  const auto wait = [](void*) -> void* {
    while (true) pause();
  };
  for (int i = 0; i < amount.of; ++i) {
    pthread_t thread;
    if (pthread_create(&thread, &attributes, wait, nullptr) != 0) return kStopped;
  }
  return Hold(amount.seconds);
}

int Disk(char** arguments) {
  const Amount amount = Read(arguments, kMostMib);
  for (int i = 0; i < amount.of; ++i) {
    char name[32];
    std::snprintf(name, sizeof name, "taken-%d", i);
    if (mkdir(name, 0700) != 0 || chdir(name) != 0) return kStopped;
    const int fd = open("file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    const bool wrote = fd >= 0 && WriteMib(fd, 1);
    if (!wrote || close(fd) != 0) return kStopped;
  }
  return Hold(amount.seconds);
}

int NamelessDisk(char** arguments) {
  const Amount amount = Read(arguments, kMostMib);
  const int fd = open("taken", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0 || unlink("taken") != 0) return kStopped;
  return WriteMib(fd, amount.of) ? Hold(amount.seconds) : kStopped;
}

}  // namespace swage::take
