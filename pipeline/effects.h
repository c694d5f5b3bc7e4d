// The payloads of outbox effects: what the worker and intake write, and the publisher reads.
//
// Payloads are frozen when the effect is added (a sticky comment alone is rendered when it is
// sent), so a retry after a crash posts the same text. Pure; the JSON form is private to
// effects.cc.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "config/base/result.h"
#include "forge/model.h"
#include "pipeline/store/store.h"

namespace swage {

struct ReactionEffect {
  Thread thread;
  std::string comment_id;  ///< empty = the thread itself
  Reaction reaction = Reaction::kEyes;
};

/// A comment of its own, told apart by its marker; `body` holds the marker.
struct CommentEffect {
  Thread thread;
  std::string marker;
  std::string body;
  bool closes = false;  ///< the pull request that it stands under, without merging it
};

struct PushEffect {
  std::string branch;
  CommitSha sha;
};

struct PullRequestEffect {
  PullRequestDraft draft;
};

struct StatusEffect {
  CommitStatus status;
};

struct ReviewEffect {
  ReviewDraft review;
};

/// The end of conversations: answers to what people asked for in threads, and threads whose
/// findings are gone.
struct ResolveEffect {
  std::vector<PostedComment> threads;
  CommitSha head;
  std::vector<ThreadReply> answers = {};
};

std::string Encode(const ReactionEffect& e);
std::string Encode(const CommentEffect& e);
std::string Encode(const PushEffect& e);
std::string Encode(const PullRequestEffect& e);
std::string Encode(const StatusEffect& e);
std::string Encode(const ReviewEffect& e);
std::string Encode(const ResolveEffect& e);

Result<ReactionEffect> DecodeReaction(std::string_view payload);
Result<CommentEffect> DecodeComment(std::string_view payload);
Result<PushEffect> DecodePush(std::string_view payload);
Result<PullRequestEffect> DecodePullRequest(std::string_view payload);
Result<StatusEffect> DecodeStatus(std::string_view payload);
Result<ReviewEffect> DecodeReview(std::string_view payload);
Result<ResolveEffect> DecodeResolve(std::string_view payload);

/// The key of a task's one sticky comment effect.
std::string StickyKey(TaskId task);
/// Brings the status comment of a task up to date; the store gives it its key. `task` 0: of the
/// task that a plan makes.
NewEffect StickyEffect(const RepoRef& repo, TaskId task);
/// A comment that is made once, however often it is added: `key` names it among all of the bot's.
/// `write` gets the marker that the body has to hold.
NewEffect CommentOnce(const Task& task, const Thread& thread, const std::string& key,
                      const std::function<std::string(std::string_view marker)>& write);

}  // namespace swage
