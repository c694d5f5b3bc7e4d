#include "pipeline/effects.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "config/base/name_table.h"
#include "pipeline/messages.h"

namespace swage {
namespace {

using nlohmann::json;

constexpr NameTable<ThreadKind, 2> kThreads = {{
    {ThreadKind::kIssue, "issue"},
    {ThreadKind::kPullRequest, "pull_request"},
}};
constexpr NameTable<Reaction, 5> kReactions = {{
    {Reaction::kEyes, "eyes"},
    {Reaction::kRocket, "rocket"},
    {Reaction::kThumbsUp, "thumbs_up"},
    {Reaction::kThumbsDown, "thumbs_down"},
    {Reaction::kConfused, "confused"},
}};
constexpr NameTable<StatusState, 4> kStatusStates = {{
    {StatusState::kPending, "pending"},
    {StatusState::kSuccess, "success"},
    {StatusState::kFailure, "failure"},
    {StatusState::kNeutral, "neutral"},
}};
constexpr NameTable<Annotation::Level, 3> kAnnotationLevels = {{
    {Annotation::Level::kNotice, "notice"},
    {Annotation::Level::kWarning, "warning"},
    {Annotation::Level::kFailure, "failure"},
}};
constexpr NameTable<CommentPlace, 4> kPlaces = {{
    {CommentPlace::kLine, "line"},
    {CommentPlace::kFile, "file"},
    {CommentPlace::kBody, "body"},
    {CommentPlace::kAlreadyThere, "already_there"},
}};

template <class E, std::size_t N>
Result<E> ReadName(const NameTable<E, N>& table, const json& value, std::string_view path) {
  const std::string word = JsonString(value, path);
  if (const auto found = ParseIn(table, word)) return *found;
  return MakeError(ErrorCode::kInvalid, fmt::format("effect payload: bad {} \"{}\"", path, word));
}

json ThreadJson(const Thread& thread) {
  return {{"kind", NameIn(kThreads, thread.kind)}, {"number", thread.number}};
}

Result<Thread> ReadThread(const json& value) {
  Thread thread;
  SWAGE_ASSIGN_OR_RETURN(thread.kind, ReadName(kThreads, value, "thread/kind"));
  thread.number = JsonInt(value, "thread/number");
  if (thread.number <= 0) {
    return MakeError(ErrorCode::kInvalid, "effect payload: no thread number");
  }
  return thread;
}

// Every payload says of which kind it is, so that one row's payload is never read as another's.
std::string Seal(EffectKind kind, json value) {
  value["effect"] = std::string(Name(kind));
  return DumpJson(value);
}

Result<json> Open(EffectKind kind, std::string_view payload) {
  auto value = ParseJson(payload);
  if (!value.ok()) return value.error().With("effect payload");
  if (JsonString(*value, "effect") != Name(kind)) {
    return MakeError(ErrorCode::kInvalid,
                     fmt::format("effect payload: \"{}\" where \"{}\" was expected",
                                 JsonString(*value, "effect"), Name(kind)));
  }
  return value;
}

const json& ArrayAt(const json& value, std::string_view path) {
  static const json kEmpty = json::array();
  const json& at = JsonAt(value, path);
  return at.is_array() ? at : kEmpty;
}

}  // namespace

std::string Encode(const ReactionEffect& e) {
  return Seal(EffectKind::kReaction, {{"thread", ThreadJson(e.thread)},
                                      {"comment_id", e.comment_id},
                                      {"reaction", NameIn(kReactions, e.reaction)}});
}

Result<ReactionEffect> DecodeReaction(std::string_view payload) {
  SWAGE_ASSIGN_OR_RETURN(const json value, Open(EffectKind::kReaction, payload));
  ReactionEffect e;
  SWAGE_ASSIGN_OR_RETURN(e.thread, ReadThread(value));
  SWAGE_ASSIGN_OR_RETURN(e.reaction, ReadName(kReactions, value, "reaction"));
  e.comment_id = JsonString(value, "comment_id");
  return e;
}

std::string Encode(const CommentEffect& e) {
  return Seal(EffectKind::kComment, {{"thread", ThreadJson(e.thread)},
                                     {"marker", e.marker},
                                     {"body", e.body},
                                     {"closes", e.closes}});
}

Result<CommentEffect> DecodeComment(std::string_view payload) {
  SWAGE_ASSIGN_OR_RETURN(const json value, Open(EffectKind::kComment, payload));
  CommentEffect e;
  SWAGE_ASSIGN_OR_RETURN(e.thread, ReadThread(value));
  e.marker = JsonString(value, "marker");
  e.body = JsonString(value, "body");
  e.closes = JsonBool(value, "closes");
  return e;
}

std::string Encode(const PushEffect& e) {
  return Seal(EffectKind::kPush, {{"branch", e.branch}, {"sha", e.sha.value}});
}

Result<PushEffect> DecodePush(std::string_view payload) {
  SWAGE_ASSIGN_OR_RETURN(const json value, Open(EffectKind::kPush, payload));
  PushEffect e;
  e.branch = JsonString(value, "branch");
  e.sha.value = JsonString(value, "sha");
  if (e.branch.empty() || e.sha.value.empty()) {
    return MakeError(ErrorCode::kInvalid, "effect payload: a push without branch or commit");
  }
  return e;
}

std::string Encode(const PullRequestEffect& e) {
  return Seal(EffectKind::kPullRequest, {{"head", e.draft.head_branch},
                                         {"base", e.draft.base_branch},
                                         {"title", e.draft.title},
                                         {"body", e.draft.body},
                                         {"draft", e.draft.draft}});
}

Result<PullRequestEffect> DecodePullRequest(std::string_view payload) {
  SWAGE_ASSIGN_OR_RETURN(const json value, Open(EffectKind::kPullRequest, payload));
  PullRequestEffect e;
  e.draft.head_branch = JsonString(value, "head");
  e.draft.base_branch = JsonString(value, "base");
  e.draft.title = JsonString(value, "title");
  e.draft.body = JsonString(value, "body");
  e.draft.draft = JsonBool(value, "draft");
  if (e.draft.head_branch.empty() || e.draft.base_branch.empty()) {
    return MakeError(ErrorCode::kInvalid, "effect payload: a pull request without its branches");
  }
  return e;
}

std::string Encode(const StatusEffect& e) {
  json annotations = json::array();
  for (const Annotation& a : e.status.annotations) {
    annotations.push_back({{"path", a.path},
                           {"line", a.line},
                           {"level", NameIn(kAnnotationLevels, a.level)},
                           {"title", a.title},
                           {"message", a.message}});
  }
  return Seal(EffectKind::kStatus, {{"sha", e.status.sha.value},
                                    {"context", e.status.context},
                                    {"state", NameIn(kStatusStates, e.status.state)},
                                    {"description", e.status.description},
                                    {"target_url", e.status.target_url},
                                    {"summary", e.status.summary},
                                    {"annotations", std::move(annotations)}});
}

Result<StatusEffect> DecodeStatus(std::string_view payload) {
  SWAGE_ASSIGN_OR_RETURN(const json value, Open(EffectKind::kStatus, payload));
  StatusEffect e;
  SWAGE_ASSIGN_OR_RETURN(e.status.state, ReadName(kStatusStates, value, "state"));
  e.status.sha.value = JsonString(value, "sha");
  e.status.context = JsonString(value, "context");
  e.status.description = JsonString(value, "description");
  e.status.target_url = JsonString(value, "target_url");
  e.status.summary = JsonString(value, "summary");
  const json& annotations = JsonAt(value, "annotations");
  for (const json& a : annotations.is_array() ? annotations : json::array()) {
    Annotation annotation{JsonString(a, "path"), static_cast<int>(JsonInt(a, "line")),
                          Annotation::Level::kFailure, JsonString(a, "title"),
                          JsonString(a, "message")};
    SWAGE_ASSIGN_OR_RETURN(annotation.level, ReadName(kAnnotationLevels, a, "level"));
    e.status.annotations.push_back(std::move(annotation));
  }
  return e;
}

std::string Encode(const ReviewEffect& e) {
  json comments = json::array();
  for (const LineComment& c : e.review.comments) {
    comments.push_back(
        {{"fingerprint", c.fingerprint}, {"path", c.path}, {"line", c.line}, {"body", c.body}});
  }
  return Seal(EffectKind::kReview, {{"head", e.review.head_sha.value},
                                    {"marker", e.review.marker},
                                    {"body", e.review.body},
                                    {"comments", std::move(comments)}});
}

Result<ReviewEffect> DecodeReview(std::string_view payload) {
  SWAGE_ASSIGN_OR_RETURN(const json value, Open(EffectKind::kReview, payload));
  ReviewEffect e;
  e.review.head_sha.value = JsonString(value, "head");
  e.review.marker = JsonString(value, "marker");
  e.review.body = JsonString(value, "body");
  for (const json& c : ArrayAt(value, "comments")) {
    e.review.comments.push_back({JsonString(c, "fingerprint"), JsonString(c, "path"),
                                 static_cast<int>(JsonInt(c, "line")), JsonString(c, "body")});
  }
  return e;
}

std::string Encode(const ResolveEffect& e) {
  json threads = json::array();
  for (const PostedComment& c : e.threads) {
    threads.push_back({{"fingerprint", c.fingerprint},
                       {"thread_id", c.thread_id},
                       {"place", NameIn(kPlaces, c.place)}});
  }
  json answers = json::array();
  for (const ThreadReply& a : e.answers) {
    answers.push_back({{"thread_id", a.place.thread_id},
                       {"path", a.place.path},
                       {"line", a.place.last_line},
                       {"old", a.place.old_side},
                       {"marker", a.marker},
                       {"body", a.body}});
  }
  return Seal(
      EffectKind::kResolve,
      {{"head", e.head.value}, {"threads", std::move(threads)}, {"answers", std::move(answers)}});
}

Result<ResolveEffect> DecodeResolve(std::string_view payload) {
  SWAGE_ASSIGN_OR_RETURN(const json value, Open(EffectKind::kResolve, payload));
  ResolveEffect e;
  e.head.value = JsonString(value, "head");
  for (const json& c : ArrayAt(value, "threads")) {
    PostedComment comment{JsonString(c, "fingerprint"), JsonString(c, "thread_id"), {}};
    SWAGE_ASSIGN_OR_RETURN(comment.place, ReadName(kPlaces, c, "place"));
    e.threads.push_back(std::move(comment));
  }
  for (const json& a : ArrayAt(value, "answers")) {
    const int line = static_cast<int>(JsonInt(a, "line"));
    const DiffPlace place{
        JsonString(a, "thread_id"), JsonString(a, "path"), line, line, JsonBool(a, "old"), {}};
    e.answers.push_back({place, JsonString(a, "marker"), JsonString(a, "body")});
  }
  return e;
}

std::string StickyKey(TaskId task) {
  return fmt::format("sticky:{}", task.value);
}

NewEffect StickyEffect(const RepoRef& repo, TaskId task) {
  return {EffectKind::kSticky, "", repo, task, "{}"};
}

NewEffect CommentOnce(const Task& task, const Thread& thread, const std::string& key,
                      const std::function<std::string(std::string_view marker)>& write) {
  const std::string marker = messages::ReplyMarker(key);
  return {EffectKind::kComment, "comment:" + key, task.repo, task.id,
          Encode(CommentEffect{thread, marker, write(marker)})};
}

}  // namespace swage
