// The forms of the hand page: each does what a person at the forge would do, with that person's
// rights.
#include <algorithm>

#include "config/base/text.h"
#include "forge/sandbox/page.h"
#include "forge/sandbox/quick_actions.h"

namespace swage::sandbox::page {
namespace {

/// A form, with everything it names looked up.
struct Form {
  World& world;
  User& actor;
  Repo& repo;
  Issue* thread = nullptr;  ///< nullptr: a new issue
  Pull* pull = nullptr;     ///< the same object, when it is one
  std::string body;
  std::string value;  ///< a label, a reaction, a discussion
};

Result<void> Require(const Form& form, Role role) {
  if (form.world.RoleOf(form.repo, &form.actor) >= role) return Ok();
  return MakeError(ErrorCode::kDenied,
                   form.actor.login + " may not do that in " + form.repo.Path());
}

/// On GitLab, commands in a text are run.
ActionText Words(const Form& form) {
  if (form.world.dialect() == Dialect::kGitLab) return TakeQuickActions(form.body);
  return {form.body, {}};
}

Result<void> Comment(const Form& form) {
  const ActionText text = Words(form);
  if (!text.text.empty()) form.world.AddNote(form.repo, form.actor, *form.thread, text.text);
  RunQuickActions(form.world, form.repo, form.actor, *form.thread, form.pull, text.actions);
  return Ok();
}

Result<void> SetOpen(const Form& form, bool open) {
  if (form.actor.id != form.thread->author) SWAGE_RETURN_IF_ERROR(Require(form, Role::kTriage));
  if (form.pull && form.pull->merged)
    return MakeError(ErrorCode::kConflict, "It is merged already");
  if (!Trim(form.body).empty()) SWAGE_RETURN_IF_ERROR(Comment(form));
  IssueChange change;
  change.open = open;
  form.world.Update(form.repo, form.actor, *form.thread, change);
  return Ok();
}

Result<void> ChangeLabel(const Form& form, bool add) {
  SWAGE_RETURN_IF_ERROR(Require(form, Role::kTriage));
  const std::string name(Trim(form.value));
  if (name.empty()) return MakeError(ErrorCode::kInvalid, "The label has no name");
  std::vector<std::string> labels = form.thread->labels;
  std::erase(labels, name);
  if (add) labels.push_back(name);
  form.world.SetLabels(form.repo, form.actor, *form.thread, labels);
  return Ok();
}

Result<void> Merge(const Form& form) {
  SWAGE_RETURN_IF_ERROR(Require(form, Role::kWrite));
  const bool gitlab = form.world.dialect() == Dialect::kGitLab;
  const std::string message =
      gitlab ? "Merge branch '" + form.pull->head_ref + "' into '" + form.pull->base_ref + "'"
             : "Merge pull request #" + std::to_string(form.pull->number) + " from " +
                   form.pull->head_ref;
  const auto merged =
      form.world.MergePull(form.repo, form.actor, *form.pull, form.pull->head_sha, message);
  return merged.ok() ? Ok() : Result<void>(merged.error());
}

Result<void> SetReady(const Form& form) {
  SWAGE_RETURN_IF_ERROR(Require(form, Role::kWrite));
  IssueChange change;
  change.draft = false;
  form.world.Update(form.repo, form.actor, *form.pull, change);
  return Ok();
}

Result<void> Approve(const Form& form) {
  SWAGE_RETURN_IF_ERROR(Require(form, Role::kWrite));
  if (form.actor.id == form.pull->author) {
    return MakeError(ErrorCode::kDenied, "Nobody approves their own work");
  }
  form.pull->approvals.insert(form.actor.id);
  form.world.AddReview(form.repo, form.actor, *form.pull, "APPROVED", form.body,
                       form.pull->head_sha);
  return Ok();
}

Result<Discussion*> DiscussionOf(const Form& form) {
  const auto at = form.world.FindDiscussion(form.repo, form.value);
  if (at.discussion == nullptr || at.pull != form.pull) {
    return MakeError(ErrorCode::kNotFound, "There is no such thread");
  }
  return at.discussion;
}

Result<void> ReplyTo(const Form& form) {
  SWAGE_ASSIGN_OR_RETURN(Discussion * discussion, DiscussionOf(form));
  if (Trim(form.body).empty()) return MakeError(ErrorCode::kInvalid, "The reply is empty");
  const ActionText text = Words(form);
  if (!text.text.empty()) {
    form.world.ReplyToDiscussion(form.repo, form.actor, *form.pull, *discussion, text.text, 0);
  }
  RunQuickActions(form.world, form.repo, form.actor, *form.pull, form.pull, text.actions);
  return Ok();
}

Result<void> SetResolved(const Form& form, bool resolved) {
  SWAGE_RETURN_IF_ERROR(Require(form, Role::kWrite));
  SWAGE_ASSIGN_OR_RETURN(Discussion * discussion, DiscussionOf(form));
  discussion->resolved = resolved;
  discussion->resolved_by = resolved ? form.actor.id : 0;
  return Ok();
}

Result<void> Do(const Form& form, std::string_view what) {
  if (what == "comment" && Trim(form.body).empty()) {
    return MakeError(ErrorCode::kInvalid, "The comment is empty");
  }
  if (what == "comment") return Comment(form);
  if (what == "close" || what == "reopen") return SetOpen(form, what == "reopen");
  if (what == "label" || what == "unlabel") return ChangeLabel(form, what == "label");
  if (form.pull == nullptr) return MakeError(ErrorCode::kInvalid, "An issue has no such button");
  if (what == "merge") return Merge(form);
  if (what == "ready") return SetReady(form);
  if (what == "approve") return Approve(form);
  if (what == "reply") return ReplyTo(form);
  if (what == "resolve" || what == "unresolve") return SetResolved(form, what == "resolve");
  return MakeError(ErrorCode::kInvalid, "There is no such button");
}

int StatusOf(ErrorCode code) {
  if (code == ErrorCode::kDenied) return 403;
  if (code == ErrorCode::kNotFound) return 404;
  return code == ErrorCode::kConflict ? 409 : 400;
}

Reply LeadTo(const std::string& url) {
  Reply reply = Reply::Empty(303);
  reply.headers["Location"] = url;
  return reply;
}

Reply OpenIssue(const Call& call, const Form& form) {
  const std::string title(Trim(Field(call, "title")));
  if (title.empty()) return Message(call, 400, "The issue has no title.");
  const ActionText text = Words(form);
  Issue& issue = form.world.OpenIssue(form.repo, form.actor, title, text.text, {});
  RunQuickActions(form.world, form.repo, form.actor, issue, nullptr, text.actions);
  return LeadTo(ThreadUrl(form.world.dialect(), form.repo, false, issue.number));
}

}  // namespace

Reply Act(const Call& call) {
  User* actor = ViewerOf(call);
  Repo* repo = call.world.FindRepo(Field(call, "repo"));
  if (actor == nullptr || repo == nullptr)
    return Message(call, 404, "There is no such repository.");
  if (call.world.RoleOf(*repo, actor) == Role::kNone)
    return Message(call, 403, "This repository is private.");
  Form form{call.world, *actor, *repo, nullptr, nullptr, Field(call, "body"), Field(call, "value")};
  const std::string what = Field(call, "do");
  if (what == "new_issue") return OpenIssue(call, form);
  const std::int64_t number = ParseInt(Field(call, "number")).value_or(0);
  const bool on_pull = Field(call, "kind") == "pull";
  form.pull = on_pull ? call.world.FindPull(*repo, number) : nullptr;
  form.thread = on_pull ? form.pull : call.world.FindIssue(*repo, number);
  if (form.thread == nullptr) return Message(call, 404, "There is nothing of this number.");
  const auto done = Do(form, what);
  if (!done.ok()) return Message(call, StatusOf(done.error().code), done.error().message + ".");
  return LeadTo(ThreadUrl(call.world.dialect(), *repo, on_pull, number));
}

}  // namespace swage::sandbox::page
