// GitLab REST v4: discussions (threads) on merge requests, with positions checked against the diff.
#include <algorithm>

#include "config/base/text.h"
#include "forge/sandbox/gitlab_api.h"
#include "forge/sandbox/quick_actions.h"

namespace swage::sandbox::gitlab {
namespace {

constexpr std::int64_t kMaxLine = 100'000'000;
constexpr std::string_view kBadLine =
    R"(400 Bad request - Note {:line_code=>["can't be blank", "must be a valid line code"]})";
constexpr std::string_view kBadPosition =
    R"(400 Bad request - Note {:position=>["is invalid"], :line_code=>["can't be blank", "must be a valid line code"]})";

/// An added line is named by its new number, a removed one by its old number, an unchanged one by
/// both.
bool IsLineOf(const FileDiff& file, const Position& position) {
  if (position.new_line > 0 && position.old_line > 0) {
    const auto it = file.unchanged.find(position.new_line);
    return it != file.unchanged.end() && it->second == position.old_line;
  }
  if (position.new_line > 0) return file.added_lines.contains(position.new_line);
  return file.removed_lines.contains(position.old_line);
}

/// The commits must be a diff that this merge request has or had.
bool AreRefsOf(const Repo& repo, const Pull& pull, const Position& position) {
  const DiffRefs now = RefsOf(repo, pull);
  if (position.base_sha == now.base_sha && position.head_sha == now.head_sha) {
    return position.start_sha == now.start_sha ||
           ResolveCommit(repo.git_dir, position.start_sha).ok();
  }
  const auto head = ResolveCommit(repo.git_dir, position.head_sha);
  if (!head.ok() || !IsAncestor(repo.git_dir, *head, pull.head_sha)) return false;
  const auto base = MergeBase(repo.git_dir, position.start_sha, *head);
  return base.ok() && *base == position.base_sha;
}

/// 0 for whatever can be no line of a file.
int LineOf(const Params& params, const char* name) {
  const std::int64_t line = params.Int(name);
  return line > 0 && line < kMaxLine ? static_cast<int>(line) : 0;
}

Result<Position> PositionOf(const Ctx& ctx, const Pull& pull) {
  const Params& params = ctx.params;
  Position position;
  position.base_sha = params.Str("position[base_sha]");
  position.start_sha = params.Str("position[start_sha]");
  position.head_sha = params.Str("position[head_sha]");
  position.path = params.Str("position[new_path]");
  position.old_path = params.Str("position[old_path]");
  position.new_line = LineOf(params, "position[new_line]");
  position.old_line = LineOf(params, "position[old_line]");
  const std::string type = params.Str("position[position_type]");
  if (type != "text" && type != "file")
    return Bad("position[position_type] does not have a valid value");
  for (const char* required : {"base_sha", "start_sha", "head_sha"}) {
    const std::string name = "position[" + std::string(required) + "]";
    if (params.Str(name).empty()) return Bad(name + " is missing");
  }
  position.whole_file = type == "file";
  if (!AreRefsOf(ctx.repo, pull, position)) return Bad(std::string(kBadPosition));
  SWAGE_ASSIGN_OR_RETURN(const auto files,
                         DiffOf(ctx.repo.git_dir, position.base_sha, position.head_sha));
  const auto file = std::find_if(files.begin(), files.end(), [&](const FileDiff& f) {
    const std::string& old_path = f.old_path.empty() ? f.path : f.old_path;
    return f.path == position.path && old_path == position.old_path;
  });
  if (file == files.end()) return Bad(std::string(kBadLine));
  if (position.whole_file) return position;
  if (!IsLineOf(*file, position)) return Bad(std::string(kBadLine));
  const bool right = position.new_line > 0;
  position.side = right ? "RIGHT" : "LEFT";
  position.line = right ? position.new_line : position.old_line;
  position.hunk = file->HunkAbove(right, position.line);
  return position;
}

/// The words of a new note of a thread; its quick actions run once the note is there.
Result<ActionText> BodyOf(const Ctx& ctx) {
  const std::string body = ctx.params.Str("body");
  if (Trim(body).empty()) return Bad("body is missing");
  if (body.size() > kMaxNote) return Bad("Note is too long (maximum is 1000000 characters)");
  ActionText text = TakeQuickActions(body);
  if (text.text.empty()) text.text = "(commands only)";
  return text;
}

Result<Reply> CreateDiscussion(Ctx& ctx) {
  SWAGE_ASSIGN_OR_RETURN(Pull * pull, PullOf(ctx));
  SWAGE_ASSIGN_OR_RETURN(const ActionText text, BodyOf(ctx));
  std::optional<Position> position;
  if (ctx.params.Has("position[position_type]") || ctx.params.Has("position[head_sha]")) {
    SWAGE_ASSIGN_OR_RETURN(position, PositionOf(ctx, *pull));
  }
  const std::string id = ctx.world
                             .StartDiscussion(ctx.repo, ctx.Actor(), *pull, std::move(position),
                                              text.text, 0, pull->head_sha)
                             .id;
  RunQuickActions(ctx.world, ctx.repo, ctx.Actor(), *pull, pull, text.actions);
  const auto at = ctx.world.FindDiscussion(ctx.repo, id);
  return Reply::Json(201,
                     DiscussionJson(ctx.world, ctx.repo, *pull, *at.discussion, ctx.call.base));
}

Result<Reply> ListDiscussions(Ctx& ctx) {
  SWAGE_ASSIGN_OR_RETURN(const Pull* pull, PullOf(ctx));
  std::vector<Json> all;
  for (const Note& note : pull->notes) {
    all.push_back(LoneDiscussionJson(ctx.world, ctx.repo, *pull, note, ctx.call.base));
  }
  for (const Discussion& discussion : pull->discussions) {
    all.push_back(DiscussionJson(ctx.world, ctx.repo, *pull, discussion, ctx.call.base));
  }
  std::sort(all.begin(), all.end(),
            [](const Json& a, const Json& b) { return a["notes"][0]["id"] < b["notes"][0]["id"]; });
  return Page(ctx, all);
}

Result<World::DiffNoteAt> DiscussionOf(Ctx& ctx) {
  SWAGE_ASSIGN_OR_RETURN(const Pull* pull, PullOf(ctx));
  const auto at = ctx.world.FindDiscussion(ctx.repo, ctx.call.Param("discussion"));
  if (at.discussion == nullptr || at.pull != pull) return NotFound("Discussion");
  return at;
}

Reply DiscussionReply(const Ctx& ctx, const World::DiffNoteAt& at) {
  return Reply::Json(200,
                     DiscussionJson(ctx.world, ctx.repo, *at.pull, *at.discussion, ctx.call.base));
}

Result<Reply> GetDiscussion(Ctx& ctx) {
  SWAGE_ASSIGN_OR_RETURN(const auto at, DiscussionOf(ctx));
  return DiscussionReply(ctx, at);
}

Result<void> Resolve(const Ctx& ctx, const World::DiffNoteAt& at, bool resolved) {
  if (!ctx.AtLeast(Role::kWrite) && at.pull->author != ctx.Actor().id) {
    return MakeError(ErrorCode::kDenied, "403 Forbidden");
  }
  at.discussion->resolved = resolved;
  at.discussion->resolved_by = resolved ? ctx.Actor().id : 0;
  return Ok();
}

Result<Reply> ResolveDiscussion(Ctx& ctx) {
  SWAGE_ASSIGN_OR_RETURN(const auto at, DiscussionOf(ctx));
  if (!ctx.params.Has("resolved")) return Bad("resolved is missing");
  SWAGE_RETURN_IF_ERROR(Resolve(ctx, at, ctx.params.Bool("resolved")));
  return DiscussionReply(ctx, at);
}

Json NoteReplyJson(const Ctx& ctx, const World::DiffNoteAt& at, const DiffNote& note) {
  return ThreadNoteJson(ctx.world, ctx.repo, *at.pull, *at.discussion, note, ctx.call.base);
}

Result<Reply> ReplyToThread(Ctx& ctx) {
  SWAGE_ASSIGN_OR_RETURN(const auto at, DiscussionOf(ctx));
  SWAGE_ASSIGN_OR_RETURN(const ActionText text, BodyOf(ctx));
  const DiffNote& note =
      ctx.world.ReplyToDiscussion(ctx.repo, ctx.Actor(), *at.pull, *at.discussion, text.text, 0);
  const Json json = NoteReplyJson(ctx, at, note);
  RunQuickActions(ctx.world, ctx.repo, ctx.Actor(), *at.pull, at.pull, text.actions);
  return Reply::Json(201, json);
}

Result<Reply> EditThreadNote(Ctx& ctx) {
  SWAGE_ASSIGN_OR_RETURN(const auto at, DiscussionOf(ctx));
  const auto note_at = ctx.world.FindDiffNote(ctx.repo, ctx.call.Number("note_id"));
  if (note_at.note == nullptr || note_at.discussion != at.discussion) return NotFound("Note");
  if (ctx.params.Has("resolved"))
    SWAGE_RETURN_IF_ERROR(Resolve(ctx, at, ctx.params.Bool("resolved")));
  if (ctx.params.Has("body")) {
    if (note_at.note->author != ctx.Actor().id && !ctx.AtLeast(Role::kMaintain)) {
      return MakeError(ErrorCode::kDenied, "403 Forbidden");
    }
    SWAGE_ASSIGN_OR_RETURN(const ActionText text, BodyOf(ctx));
    ctx.world.EditNote(ctx.repo, ctx.Actor(), *at.pull, *note_at.note, text.text);
  }
  return Reply::Json(200, NoteReplyJson(ctx, at, *note_at.note));
}

}  // namespace

void MountDiscussions(Router& router) {
  const std::string all = "/merge_requests/{iid}/discussions";
  const std::string one = all + "/{discussion}";
  AddProjectRoute(router, "GET", all, Need::kPublic, ListDiscussions);
  AddProjectRoute(router, "POST", all, Need::kUser, CreateDiscussion);
  AddProjectRoute(router, "GET", one, Need::kPublic, GetDiscussion);
  AddProjectRoute(router, "PUT", one, Need::kUser, ResolveDiscussion);
  AddProjectRoute(router, "POST", one + "/notes", Need::kUser, ReplyToThread);
  AddProjectRoute(router, "PUT", one + "/notes/{note_id}", Need::kUser, EditThreadNote);
}

}  // namespace swage::sandbox::gitlab
