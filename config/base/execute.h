// How swage-supervise and swage-enter start a command. For programs without the C++ library.
#pragma once

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace swage {

/// execvp without its shell fallback for files that lack a `#!`, and without relative PATH entries:
/// the current directory belongs to the agent. Returns errno.
inline int Execute(char** argv) {
  if (std::strchr(argv[0], '/') != nullptr) {
    execve(argv[0], argv, environ);
    return errno;
  }
  const char* path = std::getenv("PATH");
  if (path == nullptr) path = "/usr/local/bin:/usr/bin:/bin";
  int error = ENOENT;
  char file[4096];
  while (*path != '\0') {
    const char* end = strchrnul(path, ':');
    const int length =
        std::snprintf(file, sizeof file, "%.*s/%s", static_cast<int>(end - path), path, argv[0]);
    if (*path == '/' && length > 0 && static_cast<std::size_t>(length) < sizeof file) {
      execve(file, argv, environ);
      if (errno == EACCES) error = EACCES;
      if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) return errno;
    }
    path = *end == ':' ? end + 1 : end;
  }
  return error;
}

}  // namespace swage
