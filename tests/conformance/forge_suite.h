// ForgeSuite: every promise of forge/forge.h, stated once for all forges.
//
// A forge joins by instantiating ForgeSuite (see sandbox_forges_test.cc) with an adapter that
// speaks over real HTTP to a server with a few repositories and people; what the adapter did is
// judged on the server's side, never through the adapter itself.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "config/base/clock.h"
#include "config/base/files.h"
#include "config/settings.h"
#include "forge/forge.h"
#include "forge/sandbox/sandbox_forge.h"
#include "forge/transport.h"

namespace swage {

/// What a forge cannot do, whatever its adapter does.
struct ForgeTraits {
  bool maintainers = true;    ///< a role between writing and administering
  bool bots = true;           ///< tells accounts of programs from those of people
  bool file_comments = true;  ///< a remark about a whole file
  bool etags = true;          ///< answers conditional questions
  bool edits = true;          ///< tells of edited bodies, to the instant
};

struct ForgeKind {
  std::string name;
  sandbox::Dialect dialect = sandbox::Dialect::kGitHub;
  std::function<TransportOptions(const ForgeSettings&)> transport_options;
  std::function<std::unique_ptr<Forge>(ForgeSettings, std::unique_ptr<HttpTransport>)> make;
  bool as_app = false;     ///< the bot is an App, without a token of its own
  std::string below = {};  ///< where the API is mounted below the server's root
  ForgeTraits can = {};
};

inline void PrintTo(const ForgeKind& kind, std::ostream* out) {
  *out << kind.name;
}

class ForgeSuite : public testing::TestWithParam<ForgeKind> {
 protected:
  static constexpr const char* kRepo = "acme/widget";
  static constexpr const char* kBranch = "swage/1-fix";

  void SetUp() override;
  void TearDown() override;

  /// An adapter of its own for `token`; the fixture's is the bot's.
  std::unique_ptr<Forge> Connect(const std::string& token);
  /// Pushes a branch that changes line 3 of src/a.txt, adds line 4, and adds src/new.txt.
  CommitSha PushBranch(const std::string& branch = kBranch);
  PullRequestDraft Draft() const;
  /// A pull request of the bot from kBranch.
  PullRequest OpenPull();
  std::int64_t OpenIssue(const std::string& title = "Broken");
  Actor ActorOf(const std::string& login);
  /// Makes an issue, and what was done to it, some minutes older.
  void Age(std::int64_t number);

  /// The next matching request is carried out, and then its reply is lost.
  void LoseReply(const std::string& method, const std::string& path);
  /// How many notes, reviews and line notes of a pull (or issue) hold `text`.
  int CountOnPull(std::int64_t number, const std::string& text);
  int CountOnIssue(std::int64_t number, const std::string& text);
  sandbox::Pull PullState(std::int64_t number);
  int Writes();  ///< requests other than GET, and other than GraphQL queries

  TempDir dir_{"swage-forge-"};
  SystemClock clock_;
  ForgeSettings settings_;  ///< what is the same for every adapter
  std::unique_ptr<sandbox::SandboxForge> server_;
  std::unique_ptr<Forge> forge_;
  std::string bot_ = "swage-bot";  ///< its login
  std::string bot_token_;          ///< empty for an App
  RepoRef repo_;
};

}  // namespace swage
