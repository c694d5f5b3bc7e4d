// Task: one labelled issue on its way to one pull request.
//
// One row per canonical key (forge, repository id, issue number) and generation; a new generation
// begins only when a human asks again after the pull request was closed or merged. Pure: the
// transition table lives here and is drawn in lifecycle.md; a test compares the two.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/clock.h"
#include "config/base/ids.h"
#include "config/isolation_level.h"
#include "forge/model.h"
#include "pipeline/priority.h"

namespace swage {

enum class TaskState {
  kQueued,
  kRunning,
  kInReview,
  kWaiting,
  kMerged,
  kClosed,
  kFailed,
  kCancelled
};
/// Where a running attempt is.
enum class Stage { kNone, kProvision, kAgent, kGates, kPublish };
/// What the next run of a task has to do.
enum class RunKind { kImplement, kFix, kGates, kRebase };

std::string_view Name(TaskState s);  ///< "queued", "in_review": as stored and shown
std::string_view Name(Stage s);
std::string_view Name(RunKind k);
std::optional<TaskState> ParseTaskState(std::string_view s);
std::optional<Stage> ParseStage(std::string_view s);
std::optional<RunKind> ParseRunKind(std::string_view s);

/// Whether the declared graph has the edge.
bool CanMove(TaskState from, TaskState to);
/// No work is left to do unless a human asks.
bool IsTerminal(TaskState s);  ///< merged, closed, failed, cancelled
bool IsActive(TaskState s);    ///< queued, running, waiting: there is work to stop

/// The issue as it was when somebody with the right to do so asked for the work (A7, T18).
struct FrozenText {
  std::string title;
  std::string body;  ///< hidden text stripped (T27)
  std::string hash;  ///< SHA-256 of title and body, hex
};

struct Task {
  TaskId id;
  RepoRef repo;
  std::int64_t issue_number = 0;
  int generation = 1;
  std::string issue_url;
  FrozenText text;
  Actor requester;      ///< who asked; becomes the co-author (F11)
  std::string profile;  ///< "docs" of the label "swage:docs"; empty = none
  Priority priority = Priority::kNormal;

  TaskState state = TaskState::kQueued;
  std::string reason;  ///< why it waits, failed or was cancelled; one sentence
  Stage stage = Stage::kNone;
  RunKind run_kind = RunKind::kImplement;
  int run = 1;      ///< counts the human requests: 1 = the label, 2 = the first /swage fix, ...
  int attempt = 0;  ///< claims of this run
  int cycle = 0;    ///< agent + gates rounds since the task began
  int run_first_cycle = 0;  ///< value of `cycle` when this run began

  std::string base_branch;
  CommitSha base_sha;
  std::string branch;    ///< the task branch: "swage/12-fix-the-parser"
  CommitSha checkpoint;  ///< newest snapshot on the task branch; empty = none yet
  CommitSha pushed;      ///< what the forge's branch is known to hold; empty = nothing

  std::int64_t pr_number = 0;  ///< 0 = none yet
  std::string pr_url;
  std::string sticky_comment_id;

  /// How far its commands are kept apart; nothing = not decided yet. It never falls.
  std::optional<IsolationLevel> level;

  Epoch epoch;
  std::string lease_node;  ///< empty = nobody
  WallTime lease_expires{};
  WallTime created{};
  WallTime updated{};
};

/// "github/acme/lib#12", with "/g2" from the second generation on: for people, logs and markers.
std::string TaskKey(const Task& task);
/// A safe branch name: prefix, number, generation from the second on, and a slug of the title
/// (T35).
std::string BranchName(std::string_view prefix, std::int64_t issue_number, int generation,
                       std::string_view title);

/// Proof that the holder may write a task: every worker write names it (B3).
struct Lease {
  TaskId task;
  Epoch epoch;
  std::string node;
};

}  // namespace swage
