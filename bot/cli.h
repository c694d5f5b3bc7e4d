// The command line: what a person can ask of the program, and what it answers before any work
// begins.
//
// RunCli parses, prints help and mistakes, and answers `config` and `version` itself, and with
// `store` all that only looks into the database or changes a row, with `make_workspaces` what
// `clean` removes; `serve` and `demo` are handed to
// the actions that main.cc wires. Exit codes: kExitOk, kExitFailed,
// kExitUsage.
#pragma once

#include <filesystem>
#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

#include "bot/forge_doctor.h"
#include "bot/operator/clean_command.h"
#include "bot/operator/store_access.h"
#include "config/settings.h"

namespace swage {

inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;  ///< it was understood and did not work; stderr says why
inline constexpr int kExitUsage = 2;   ///< the command line or the settings are wrong

struct ServeOptions {
  std::filesystem::path config;
  std::vector<std::string> roles;  ///< in place of the settings' node.roles; empty = those
  std::string node;                ///< in place of the settings' node.name; empty = that
};

struct DemoGate {
  std::string name;
  std::string command;  ///< for /bin/sh -c
};

struct DemoOptions {
  std::string forge;  ///< the dialect that the sandbox forge speaks
  bool once = false;  ///< leave when the pull request is open, with 0 if its gates are green
  std::string agent;  ///< a preset, or a program (with a slash); empty = the scripted agent
  std::filesystem::path repo;   ///< an existing local repository; empty = the demo's own
  std::filesystem::path issue;  ///< a Markdown file: first line the title, the rest the body
  std::vector<DemoGate> gates;  ///< empty = those of the repository's `.swage.yml`
  std::filesystem::path data;   ///< empty = a temporary folder that goes at the end
  int port = 0;                 ///< of the pages; 0 = a free one
};

struct CliActions {
  std::function<int(const ServeOptions&)> serve;
  std::function<int(const DemoOptions&)> demo;
  /// For `config check`: what the database is, or why it cannot be used. Changes nothing there.
  std::function<Result<std::string>(const Settings&)> look_at_store;
  StoreAccess store;
  WorkspacesMaker make_workspaces;  ///< for `clean`
  ForgeMaker make_forge;            ///< for `doctor forges`
  std::vector<std::string>
      demo_forges;  ///< dialects of the sandbox forge; the first is the default
};

/// Returns the exit code. Answers go to `out`, mistakes to `err`.
int RunCli(int argc, const char* const* argv, const CliActions& actions, std::ostream& out,
           std::ostream& err);

}  // namespace swage
