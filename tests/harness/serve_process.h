// SpawnServe: the real `swage serve` as a child process, with nothing of the test's environment but
// what a sanitizer was told.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <string>

namespace swage::test {

struct ServeCommand {
  std::filesystem::path config;
  std::filesystem::path log;   ///< stdout and stderr are added to it
  std::filesystem::path home;  ///< HOME
  std::map<std::string, std::string> env = {};
  std::string path = "/usr/local/bin:/usr/bin:/bin";
  std::filesystem::path program = {};  ///< empty = that of the build
};

pid_t SpawnServe(const ServeCommand& command);

}  // namespace swage::test
