// Scene: the stage of the demo. A sandbox forge with people and a repository, and the server's
// configuration file for it. Everything lives below one directory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bot/cli.h"
#include "bot/demo/agent_choice.h"
#include "bot/demo/reserved_port.h"
#include "config/base/result.h"
#include "forge/sandbox/sandbox_forge.h"

namespace swage::demo {

inline constexpr const char* kPerson = "ada";
inline constexpr const char* kBot = "swage-bot";

struct DemoIssue {
  std::string title;
  std::string body;
};

class Scene {
 public:
  /// Starts the forge, creates the repository (the demo's own, or a copy of options.repo with its
  /// history) and writes swage.yml. Errors name what is missing and what to do.
  static Result<std::unique_ptr<Scene>> Set(const DemoOptions& options,
                                            const std::filesystem::path& dir);

  sandbox::SandboxForge& forge() { return *forge_; }
  const std::string& repo() const { return repo_; }  ///< "demo/tempo"
  const DemoIssue& issue() const { return issue_; }
  /// The agent, for the person who watches.
  const std::string& agent() const { return agent_.shown; }
  /// What that person should know before it begins, a sentence each.
  const std::vector<std::string>& notes() const { return notes_; }
  const std::filesystem::path& config() const { return config_; }
  int hooks_port() const { return hooks_port_->number(); }
  int dashboard_port() const { return dashboard_port_->number(); }

 private:
  Scene() = default;
  Result<void> LookAtMaterial(const DemoOptions& options);
  Result<void> MakeRepo(const DemoOptions& options, const std::filesystem::path& dir);
  Result<void> WriteConfig(const DemoOptions& options, const std::filesystem::path& dir,
                           const std::string& token, const std::string& secret);

  std::unique_ptr<sandbox::SandboxForge> forge_;
  std::filesystem::path material_;
  AgentChoice agent_;
  std::vector<std::string> notes_;
  std::string repo_;
  DemoIssue issue_;
  std::filesystem::path config_;
  std::optional<ReservedPort> hooks_port_;  ///< both set once the scene is
  std::optional<ReservedPort> dashboard_port_;
};

/// First line (with or without '#') the title, the rest the body. Errors: kInvalid for an empty
/// file.
Result<DemoIssue> ReadIssueFile(const std::filesystem::path& file);

}  // namespace swage::demo
