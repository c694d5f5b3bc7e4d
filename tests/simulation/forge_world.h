// ForgeWorld: what the simulated forge holds, what people do there, and whether anything was ever
// done there that must never be. Every act is one instant; latency and failures are ForgePort's.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "forge/feed.h"
#include "forge/forge.h"
#include "tests/simulation/machine.h"

namespace swage::simulation {

inline const Actor kBot{"9", "swage-bot", true};
inline const Actor kAda{"1", "ada", false};     // maintains
inline const Actor kEve{"3", "eve", false};     // reads
inline const Actor kRobot{"4", "robot", true};  // writes, and is on no list

inline constexpr std::string_view kLabel = "swage";
inline constexpr std::string_view kBase = "main";

/// When a thread changed last, and what people did there.
struct WorldHistory {
  WallTime changed{};
  std::vector<ThreadAct> acts;
};

struct WorldIssue {
  Issue issue;
  WorldHistory history;
  int generations = 0;               ///< pull requests of ours at most
  MonotonicTime ineligible_since{};  ///< while it is closed
  bool rightly = false;              ///< the label was set by somebody with the right
  bool asked = false;                ///< it is open, and rightly labelled
};

struct WorldComment {
  std::string id;
  Thread thread;
  std::string marker;
  std::string body;
};

struct WorldThread {
  std::string id;
  std::string fingerprint;
  bool resolved = false;
};

struct WorldPull {
  PullRequest pull;
  WorldHistory history;
  std::set<std::string> reviews;  ///< markers
  std::vector<WorldThread> threads;
};

struct Branch {
  CommitSha sha;
  bool by_bot = false;
};

class ForgeWorld {
 public:
  /// `emit` is told of every event, in the order in which things happened.
  ForgeWorld(Machine& machine, std::function<void(Event)> emit);

  RepoRef repo{"sim", "77", "acme/lib"};
  std::map<std::int64_t, WorldIssue> issues;
  std::vector<WorldPull> pulls;  ///< pulls[i] has the number 1001 + i
  std::map<std::string, Branch, std::less<>> branches;
  std::vector<WorldComment> comments;           ///< of the bot
  std::vector<FoundComment> said;               ///< by people
  std::int64_t revision = 0;                    ///< grows with every change
  std::map<std::string, StatusState> statuses;  ///< "SHA CONTEXT"
  std::set<std::string> reactions;
  std::set<std::string> pushed;                ///< commits
  std::map<std::string, std::string> parents;  ///< of every commit but the first

  static Role RoleOf(const Actor& actor);
  WorldPull* FindPull(std::int64_t number);
  WorldPull* NewestPull(std::string_view branch);

  // --- people
  std::int64_t OpenIssue(const Actor& actor);
  void Label(const Actor& actor, std::int64_t number);
  void Unlabel(const Actor& actor, std::int64_t number);
  void CloseIssue(const Actor& actor, std::int64_t number);
  void ReopenIssue(const Actor& actor, std::int64_t number);
  void Comment(const Actor& actor, const Thread& thread, const std::string& body);
  void EndPull(const Actor& actor, std::int64_t number, bool merge);
  void PushByPerson(const std::string& branch);
  /// In place of what the branch holds: on the newest base, or on the first commit there was.
  void ForcePushByPerson(const std::string& branch);
  void MoveBase();
  /// Takes its newest commit back.
  void RewriteBase();

  // --- the bot; checks what must never happen
  const WorldComment* FindComment(const Thread& thread, std::string_view marker) const;
  const WorldComment& CreateComment(const Thread& thread, std::string_view marker,
                                    std::string_view body);
  PullRequest CreatePull(const PullRequestDraft& draft);
  void EditComment(const Thread& thread) { Touch(thread); }
  /// Compare and swap, as a push with a lease.
  Result<void> Push(const std::string& branch, const CommitSha& sha, const CommitSha& expected);
  /// Whether `commit` is `ancestor` or has it in its history.
  bool Follows(std::string commit, const std::string& ancestor) const;

  std::string NewId() { return std::to_string(++last_id_); }

 private:
  WorldHistory* Touch(const Thread& thread);
  Issue& TouchIssue(std::int64_t number);
  void Note(const Thread& thread, ThreadAct::Kind kind, const Actor& actor);
  void MoveHead(const std::string& branch, const CommitSha& sha);
  CommitSha CommitByPerson(const std::string& parent);
  void TakeByPerson(const std::string& branch, const std::string& parent);

  Machine& machine_;
  std::function<void(Event)> emit_;
  std::int64_t last_id_ = 5000;
};

/// The number of the issue that a task's branch is named after; 0 = no such branch.
std::int64_t IssueOfBranch(std::string_view branch);

}  // namespace swage::simulation
