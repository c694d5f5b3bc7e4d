// Intake: from a verified delivery to rows. Facts are gathered first, the decision is pure.
//
// One gate function, Admit, stands before every trigger: label and command alike (T15 to T17).
// Decide never touches a network or a store, so every rule is a unit test. Intake never runs work.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/result.h"
#include "config/settings.h"
#include "forge/event.h"
#include "forge/model.h"
#include "pipeline/command.h"
#include "pipeline/labelling.h"
#include "pipeline/manual_request.h"
#include "pipeline/store/store.h"

namespace swage {

/// What the operator allows; the same for every event of one forge.
struct IntakeRules {
  std::vector<std::string> repos;         ///< allow-list (A10)
  std::vector<std::string> allowed_bots;  ///< account ids (T16)
  Triggers triggers;
  std::string command_prefix;
  Role min_role = Role::kWrite;
  std::map<Verb, Role> command_roles;  ///< in place of min_role
  std::string branch_prefix;
  std::string public_url;  ///< of the dashboard; may be empty
  std::string agent;       ///< its name: the only one there is
  int quota_repo = 0;      ///< see Settings
  int quota_account = 0;

  Role RoleFor(Verb verb) const;
};

IntakeRules RulesFor(const Settings& settings, const ForgeSettings& forge);

/// What was true when the delivery was decided. Gathered only as far as NeedsFacts says.
struct IntakeFacts {
  Actor self;                       ///< the bot's own account
  Role role = Role::kNone;          ///< of the event's actor, asked now
  std::optional<Issue> issue;       ///< asked now; empty when it cannot be seen any more
  std::optional<PullRequest> pull;  ///< asked now: of a command or a push, or the task's own
  std::optional<Wish> wish;         ///< of a label or an assignment, where the forge tells
  std::optional<Task> task;         ///< newest generation of the issue or of the pull request
  std::vector<Delegate> delegates;  ///< of that task
  std::vector<Step> steps;          ///< of that task, for `logs` alone
  std::optional<Review> review;     ///< of a ReviewSubmitted, asked now
  std::optional<DiffPlace> place;   ///< of a comment on the diff that is for the work
  std::string finding;              ///< what the bot itself said there
  std::optional<Actor> named;       ///< whom a command names, asked now; empty = nobody
  /// Of the issues that the text wants to wait for: those that are open.
  std::set<std::int64_t> open_dependencies;
  Starts starts;            ///< of tasks in the last hour: of the repository, the actor
  std::string body_digest;  ///< SHA-256 of the delivery; tells replays apart (T4)
};

/// Whether an event can lead to anything at all, judged without asking the forge. A refusal here
/// costs one row and no request, however many strangers knock (T7, T9).
struct Screening {
  bool interesting = false;
  std::string why;       ///< when not interesting
  bool refused = false;  ///< it wanted something that it may not have
};
Screening Screen(const Event& event, const IntakeRules& rules, const Actor& self);

/// What an actor is in a repository, and on the task that a command is about.
struct Standing {
  Role role = Role::kNone;
  bool is_delegate = false;  ///< lets in whom the role does not
};

/// The one gate: may this actor make Swage do something in this repository, which `needs` a role?
struct Admission {
  bool admitted = false;
  bool tell =
      false;  ///< refuse with a comment (a person without rights), or in silence (bots, strangers)
  std::string why;
};
Admission Admit(const RepoRef& repo, const Actor& actor, const Standing& standing, Role needs,
                const Actor& self, const IntakeRules& rules);

/// The plan for what Screen found of no interest.
IntakePlan Uninteresting(const Event& event, const Screening& screening);

/// Pure. The plan's `delivery` is left to the caller.
IntakePlan Decide(const Event& event, const IntakeFacts& facts, const IntakeRules& rules);

/// The plan for what an operator asks for; the operator's word needs no role. What cannot be done
/// is parked, where operators look. `repo` and `facts` as asked for now. Pure.
IntakePlan DecideManual(const ManualRequest& request, const Repo& repo, const IntakeFacts& facts,
                        const IntakeRules& rules);

/// What makes two notices of one request the same (IntakePlan::command_key): the comment, or the
/// setting of the label. Empty: the event asks for nothing that has a key of its own.
std::string CommandKey(const Event& event, const IntakeFacts& facts);

/// The same, of a review that asks for changes.
std::string ReviewKey(const RepoRef& repo, std::int64_t pull, std::string_view review);

/// The text as it will be worked on: hidden characters and HTML comments stripped, hashed.
FrozenText Freeze(const Issue& issue);

/// "write" -> Role::kWrite.
std::optional<Role> ParseRole(std::string_view name);

}  // namespace swage
