// swage-sandbox: the sandbox forge as a process of its own, for tests in other languages and for
// playing.
//
//   swage-sandbox [--dialect github|gitlab|gitea] [--port N]
//
// Makes one repository and four users, prints one line of JSON that names them with their tokens
// and the URLs, and serves until its stdin is closed or it is interrupted. Everything it makes is
// gone afterwards.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "config/base/files.h"
#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/sandbox/sandbox_forge.h"

namespace swage::sandbox {
namespace {

constexpr int kLines = 60;
constexpr int kUsage = 2;

struct Options {
  Dialect dialect = Dialect::kGitHub;
  int port = 0;
};

struct DialectName {
  std::string_view name;
  Dialect dialect;
};
constexpr std::array kDialects = {DialectName{"github", Dialect::kGitHub},
                                  DialectName{"gitlab", Dialect::kGitLab},
                                  DialectName{"gitea", Dialect::kGitea}};

bool ReadOptions(int argc, char** argv, Options* options) {
  for (int i = 1; i < argc; i += 2) {
    const std::string_view name = argv[i];
    if (i + 1 == argc) return false;
    const std::string_view value = argv[i + 1];
    const auto dialect = std::ranges::find(kDialects, value, &DialectName::name);
    if (name == "--dialect" && dialect != kDialects.end()) {
      options->dialect = dialect->dialect;
    } else if (name == "--port" && ParseInt(value)) {
      options->port = static_cast<int>(*ParseInt(value));
    } else {
      return false;
    }
  }
  return true;
}

std::map<std::string, std::string> Files() {
  std::string lines;
  for (int i = 1; i <= kLines; ++i) lines += "line " + std::to_string(i) + "\n";
  return {{"README.md", "# widget\n\nCounts lines.\n"}, {"src/total.txt", lines}};
}

/// Makes the users and the repository; returns what the one line of output says.
nlohmann::json SetScene(SandboxForge& forge, Dialect dialect) {
  const std::string owner = dialect == Dialect::kGitLab ? "acme/tools" : "acme";
  const std::string path = owner + "/widget";
  if (const auto made = forge.CreateRepoFromFiles(path, Files()); !made.ok()) {
    std::fprintf(stderr, "swage-sandbox: %s\n", made.error().message.c_str());
    std::exit(EXIT_FAILURE);
  }
  nlohmann::json users = nlohmann::json::object();
  const auto add = [&](const char* key, const char* login, bool is_bot, Role role) {
    const std::string token = forge.CreateUser(login, is_bot);
    if (role != Role::kNone) forge.SetMember(path, login, role);
    Id id = 0;
    forge.With([&](World& world) { id = world.FindUser(login)->id; });
    users[key] = {{"login", login}, {"token", token}, {"id", id}};
  };
  add("alice", "alice", false, Role::kAdmin);
  add("bot", "swage-bot", true, Role::kWrite);
  add("reader", "reader", false, Role::kRead);
  add("stranger", "stranger", false, Role::kNone);
  return {{"dialect", std::ranges::find(kDialects, dialect, &DialectName::dialect)->name},
          {"url", forge.Url()},
          {"api_url", forge.ApiUrl()},
          {"git_url", forge.GitUrl(path)},
          {"owner", owner},
          {"repo", "widget"},
          {"repo_path", path},
          {"repo_id", forge.RepoId(path)},
          {"users", users}};
}

/// Also ends when it is interrupted: the handler does nothing but make read() return.
void WaitForEndOfInput() {
  struct sigaction interrupt {};
  interrupt.sa_handler = [](int) {};
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaction(signal, &interrupt, nullptr);
  char buffer[256];
  while (read(STDIN_FILENO, buffer, sizeof buffer) > 0) {
  }
}

int Main(int argc, char** argv) {
  Options options;
  if (!ReadOptions(argc, argv, &options)) {
    std::fprintf(stderr, "usage: swage-sandbox [--dialect github|gitlab|gitea] [--port N]\n");
    return kUsage;
  }
  const TempDir data("swage-sandbox-");
  SandboxOptions forge_options;
  forge_options.dialect = options.dialect;
  forge_options.port = options.port;
  forge_options.data_dir = data.path();
  auto forge = SandboxForge::Start(forge_options);
  if (!forge.ok()) {
    std::fprintf(stderr, "swage-sandbox: %s\n", forge.error().message.c_str());
    return EXIT_FAILURE;
  }
  std::printf("%s\n", DumpJson(SetScene(**forge, options.dialect)).c_str());
  std::fflush(stdout);
  WaitForEndOfInput();
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace swage::sandbox

int main(int argc, char** argv) {
  return swage::sandbox::Main(argc, argv);
}
