// GitLab REST v4: notes (comments) on issues and merge requests.
#include <algorithm>

#include "config/base/text.h"
#include "forge/sandbox/gitlab_api.h"
#include "forge/sandbox/quick_actions.h"

namespace swage::sandbox::gitlab {
namespace {

/// The thread that the path names, and whether it is a merge request.
struct Where {
  Issue* issue = nullptr;
  Pull* pull = nullptr;  ///< the same object, when it is one
};

Result<Where> WhereOf(Ctx& ctx, bool on_pull) {
  if (on_pull) {
    SWAGE_ASSIGN_OR_RETURN(Pull * pull, PullOf(ctx));
    return Where{pull, pull};
  }
  SWAGE_ASSIGN_OR_RETURN(Issue * issue, IssueOf(ctx));
  return Where{issue, nullptr};
}

/// A note that the path names: one that stands alone, or one of a discussion.
struct NoteRef {
  Note* note = nullptr;
  DiffNote* threaded = nullptr;  ///< the same object, when it belongs to a discussion
  Discussion* discussion = nullptr;
};

Result<NoteRef> NoteOf(Ctx& ctx, const Where& where) {
  const Id id = ctx.call.Number("note_id");
  if (const auto at = ctx.world.FindNote(ctx.repo, id); at.note && at.issue == where.issue) {
    return NoteRef{at.note, nullptr, nullptr};
  }
  if (const auto at = ctx.world.FindDiffNote(ctx.repo, id);
      at.note && where.pull && at.pull == where.pull) {
    return NoteRef{at.note, at.note, at.discussion};
  }
  return NotFound("Note");
}

Json RefJson(const Ctx& ctx, const Where& where, const NoteRef& ref) {
  if (ref.threaded) {
    return ThreadNoteJson(ctx.world, ctx.repo, *where.pull, *ref.discussion, *ref.threaded,
                          ctx.call.base);
  }
  return NoteJson(ctx.world, ctx.repo, *where.issue, where.pull != nullptr, *ref.note,
                  ctx.call.base);
}

/// What GitLab itself writes into a thread of an act; empty = nothing.
std::string WordsOf(const Act& act, const Issue& issue, World& world) {
  switch (act.kind) {
    case Act::Kind::kRenamed:
      return "changed title from **" + act.before + "** to **" + issue.title + "**";
    case Act::Kind::kDescribed:
      return "changed the description";
    case Act::Kind::kAssigned:
      return "assigned to @" + world.UserOf(act.whom).login;
    case Act::Kind::kUnassigned:
      return "unassigned @" + world.UserOf(act.whom).login;
    case Act::Kind::kLabeled:
    case Act::Kind::kUnlabeled:
    case Act::Kind::kClosed:
    case Act::Kind::kReopened:
    case Act::Kind::kMerged:
      return "";
  }
  return "";
}

std::vector<Note> SystemNotes(const Issue& issue, World& world) {
  std::vector<Note> notes;
  for (const Act& act : issue.acts) {
    Note note;
    note.body = WordsOf(act, issue, world);
    if (note.body.empty()) continue;
    note.id = act.id;
    note.author = act.actor;
    note.created_at = note.updated_at = act.at;
    note.system = true;
    notes.push_back(std::move(note));
  }
  return notes;
}

Result<Reply> ListNotes(Ctx& ctx, bool on_pull) {
  SWAGE_ASSIGN_OR_RETURN(const Where where, WhereOf(ctx, on_pull));
  std::vector<Json> notes;
  for (Note& note : where.issue->notes)
    notes.push_back(RefJson(ctx, where, {&note, nullptr, nullptr}));
  for (Note& note : SystemNotes(*where.issue, ctx.world))
    notes.push_back(RefJson(ctx, where, {&note, nullptr, nullptr}));
  if (where.pull) {
    for (Discussion& discussion : where.pull->discussions) {
      for (DiffNote& note : discussion.notes)
        notes.push_back(RefJson(ctx, where, {&note, &note, &discussion}));
    }
  }
  const bool ascending = ctx.params.Str("sort") == "asc";
  // Ids grow with time, and two notes of one millisecond must not change places between pages.
  std::sort(notes.begin(), notes.end(), [ascending](const Json& a, const Json& b) {
    return ascending ? a["id"] < b["id"] : a["id"] > b["id"];
  });
  return Page(ctx, notes);
}

Result<Reply> GetNote(Ctx& ctx, bool on_pull) {
  SWAGE_ASSIGN_OR_RETURN(const Where where, WhereOf(ctx, on_pull));
  SWAGE_ASSIGN_OR_RETURN(const NoteRef ref, NoteOf(ctx, where));
  return Reply::Json(200, RefJson(ctx, where, ref));
}

Result<Reply> CreateNote(Ctx& ctx, bool on_pull) {
  SWAGE_ASSIGN_OR_RETURN(const Where where, WhereOf(ctx, on_pull));
  const std::string body = ctx.params.Str("body");
  if (Trim(body).empty()) return Bad("400 Bad request - Note {:note=>[\"can't be blank\"]}");
  if (body.size() > kMaxNote) {
    return Bad("400 Bad request - Note {:note=>[\"is too long (maximum is 1000000 characters)\"]}");
  }
  const ActionText text = TakeQuickActions(body);
  const User& actor = ctx.Actor();
  const auto run = [&] {
    return RunQuickActions(ctx.world, ctx.repo, actor, *where.issue, where.pull, text.actions);
  };
  // Commands alone leave no note behind.
  if (text.text.empty()) {
    return Reply::Json(202, {{"commands_changes", Json::object()}, {"summary", run()}});
  }
  const Id id = ctx.world.AddNote(ctx.repo, actor, *where.issue, text.text).id;
  run();
  const auto at = ctx.world.FindNote(ctx.repo, id);
  return Reply::Json(201, RefJson(ctx, where, {at.note, nullptr, nullptr}));
}

Result<Reply> EditNote(Ctx& ctx, bool on_pull) {
  SWAGE_ASSIGN_OR_RETURN(const Where where, WhereOf(ctx, on_pull));
  SWAGE_ASSIGN_OR_RETURN(const NoteRef ref, NoteOf(ctx, where));
  if (ref.note->author != ctx.Actor().id && !ctx.AtLeast(Role::kMaintain)) {
    return MakeError(ErrorCode::kDenied, "403 Forbidden");
  }
  const std::string body = ctx.params.Str("body");
  if (Trim(body).empty()) return Bad("body is missing");
  if (body.size() > kMaxNote) return Bad("Note is too long (maximum is 1000000 characters)");
  // Editing runs no commands, but it takes their lines away, as creating does.
  ctx.world.EditNote(ctx.repo, ctx.Actor(), *where.issue, *ref.note, TakeQuickActions(body).text);
  return Reply::Json(200, RefJson(ctx, where, ref));
}

Result<Reply> DeleteNote(Ctx& ctx, bool on_pull) {
  SWAGE_ASSIGN_OR_RETURN(const Where where, WhereOf(ctx, on_pull));
  SWAGE_ASSIGN_OR_RETURN(const NoteRef ref, NoteOf(ctx, where));
  if (ref.note->author != ctx.Actor().id && !ctx.AtLeast(Role::kMaintain)) {
    return MakeError(ErrorCode::kDenied, "403 Forbidden");
  }
  if (ref.threaded) return Bad("400 Bad request - a note of a thread stays");
  ctx.world.DeleteNote(ctx.repo, ctx.Actor(), *where.issue, ref.note->id);
  return Reply::Empty(204);
}

}  // namespace

void MountNotes(Router& router) {
  for (const bool on_pull : {false, true}) {
    const std::string notes = on_pull ? "/merge_requests/{iid}/notes" : "/issues/{iid}/notes";
    const auto add = [&](const char* method, const std::string& path, Need need, auto handler) {
      AddProjectRoute(router, method, path, need,
                      [on_pull, handler](Ctx& ctx) { return handler(ctx, on_pull); });
    };
    add("GET", notes, Need::kPublic, ListNotes);
    add("POST", notes, Need::kUser, CreateNote);
    add("GET", notes + "/{note_id}", Need::kPublic, GetNote);
    add("PUT", notes + "/{note_id}", Need::kUser, EditNote);
    add("DELETE", notes + "/{note_id}", Need::kUser, DeleteNote);
  }
}

}  // namespace swage::sandbox::gitlab
