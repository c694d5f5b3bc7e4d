#include "tests/harness/serve_process.h"

#include <fcntl.h>
#include <spawn.h>

#include <cstdlib>
#include <vector>

#include "config/base/result.h"
#include "tests/harness/paths.h"

namespace swage::test {

pid_t SpawnServe(const ServeCommand& command) {
  const std::filesystem::path program =
      command.program.empty() ? Program("swage") : command.program;
  std::vector<std::string> arguments = {program.string(), "serve", "--config",
                                        command.config.string()};
  std::vector<std::string> variables = {"PATH=" + command.path, "HOME=" + command.home.string()};
  // What tests/run tells the sanitizers holds for the server too.
  for (const char* name : {"ASAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS"}) {
    if (const char* value = std::getenv(name)) variables.push_back(std::string(name) + "=" + value);
  }
  for (const auto& [name, value] : command.env) variables.push_back(name + "=" + value);
  std::vector<char*> argv, env;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  for (std::string& variable : variables) env.push_back(variable.data());
  argv.push_back(nullptr);
  env.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, command.log.c_str(), O_WRONLY | O_CREAT | O_APPEND,
                                   0600);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  pid_t pid = -1;
  const int error = posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), env.data());
  posix_spawn_file_actions_destroy(&actions);
  SWAGE_CHECK(error == 0);
  return pid;
}

}  // namespace swage::test
