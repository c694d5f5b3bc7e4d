// Pull requests, reviews, discussions, merges and moving refs.
#include <fmt/format.h>

#include <algorithm>

#include "config/base/crypto.h"
#include "config/base/text.h"
#include "forge/sandbox/git_repo.h"
#include "forge/sandbox/text_effects.h"
#include "forge/sandbox/world.h"

namespace swage::sandbox {
namespace {

constexpr std::string_view kHeads = "refs/heads/";

std::string ShaIn(const std::map<std::string, std::string>& refs, const std::string& ref) {
  const auto it = refs.find(ref);
  return it == refs.end() ? std::string(kZeroSha) : it->second;
}

std::string TipOf(const Repo& repo, std::string_view branch) {
  const Result<std::string> sha = ReadRef(repo.git_dir, fmt::format("{}{}", kHeads, branch));
  return sha.ok() ? *sha : "";
}

}  // namespace

Person PersonOf(const User& user, WallTime at) {
  return {user.name, fmt::format("{}@users.noreply.example", user.login), at};
}

std::map<std::string, std::string> World::RefsOf(const Repo& repo) const {
  std::map<std::string, std::string> refs = ListRefs(repo.git_dir, kHeads);
  refs.merge(ListRefs(repo.git_dir, "refs/tags/"));
  return refs;
}

void World::SyncPullRefs(const Repo& repo, const Pull& pull) const {
  const std::string_view space = dialect_ == Dialect::kGitLab ? "merge-requests" : "pull";
  // A head that is gone keeps its last ref; failing here would only hide a branch of a test.
  const Result<void> written = WriteRef(
      repo.git_dir, fmt::format("refs/{}/{}/head", space, pull.number), pull.head_sha, true);
  static_cast<void>(written);
}

Pull* World::FindOpenPull(Repo& repo, std::string_view head_ref, std::string_view base_ref) {
  for (auto& [number, pull] : repo.pulls) {
    if (pull.open && pull.head_ref == head_ref && (base_ref.empty() || pull.base_ref == base_ref)) {
      return &pull;
    }
  }
  return nullptr;
}

Result<Pull*> World::OpenPull(Repo& repo, const User& actor, const NewPull& draft) {
  const std::string head_sha = TipOf(repo, draft.head_ref);
  const std::string base_sha = TipOf(repo, draft.base_ref);
  if (head_sha.empty()) return MakeError(ErrorCode::kNotFound, "head");
  if (base_sha.empty()) return MakeError(ErrorCode::kNotFound, "base");
  if (FindOpenPull(repo, draft.head_ref, draft.base_ref) != nullptr) {
    return MakeError(ErrorCode::kConflict, "a pull request is open for this branch");
  }
  SWAGE_ASSIGN_OR_RETURN(const std::vector<CommitInfo> commits,
                         CommitsBetween(repo.git_dir, base_sha, head_sha, 1));
  if (commits.empty()) return MakeError(ErrorCode::kInvalid, "no commits between the branches");
  const std::int64_t number = NextNumber(repo, true);
  Pull& pull = repo.pulls[number];
  pull.id = NextId();
  pull.number = number;
  pull.author = actor.id;
  pull.title = draft.title;
  pull.body = draft.body;
  pull.head_ref = draft.head_ref;
  pull.base_ref = draft.base_ref;
  pull.head_sha = head_sha;
  pull.base_sha = base_sha;
  pull.draft = draft.draft;
  pull.remove_source_branch = draft.remove_source_branch;
  pull.created_at = pull.updated_at = Now();
  SyncPullRefs(repo, pull);
  Raise(EventOn(repo, actor, pull, Happening::kPullOpened));
  return &pull;
}

bool World::IsMergeable(const Repo& repo, const Pull& pull) const {
  const std::string base = TipOf(repo, pull.base_ref);
  if (!pull.open || base.empty()) return false;
  const Result<bool> clean = MergesCleanly(repo.git_dir, base, pull.head_sha);
  return clean.ok() && *clean;
}

void World::MarkMerged(Repo& repo, const User& actor, Pull& pull, std::string_view merge_sha) {
  pull.merged = true;
  pull.open = false;
  pull.merge_sha = merge_sha;
  pull.merged_by = pull.closed_by = actor.id;
  pull.merged_at = pull.closed_at = pull.updated_at = Now();
  Record(pull, actor, Act::Kind::kMerged);
  Raise(EventOn(repo, actor, pull, Happening::kPullClosed));
  CloseNamedIssues(*this, repo, actor, pull);
}

Result<std::string> World::MergePull(Repo& repo, const User& actor, Pull& pull,
                                     std::string_view expected_head, std::string_view message,
                                     std::string_view method) {
  if (!pull.open || pull.draft) {
    return MakeError(ErrorCode::kConflict, "the pull request cannot be merged in its state");
  }
  if (!expected_head.empty() && expected_head != pull.head_sha) {
    return MakeError(ErrorCode::kInvalid, "the head is another commit");
  }
  const std::map<std::string, std::string> before = RefsOf(repo);
  const std::string base = TipOf(repo, pull.base_ref);
  SWAGE_ASSIGN_OR_RETURN(const std::string merge_sha,
                         MergeInto(repo.git_dir, pull.base_ref, pull.head_sha, message,
                                   PersonOf(actor, Now()), method == "squash"));
  pull.base_sha = base;
  MarkMerged(repo, actor, pull, merge_sha);
  if (pull.remove_source_branch) {
    const Result<void> gone = DeleteRef(repo.git_dir, fmt::format("{}{}", kHeads, pull.head_ref));
    static_cast<void>(gone);  // somebody may have deleted it already
  }
  RefsMoved(repo, actor, before);
  return merge_sha;
}

Review& World::AddReview(Repo& repo, const User& actor, Pull& pull, std::string_view state,
                         std::string_view body, std::string_view commit_sha) {
  Review review;
  review.id = NextId();
  review.author = actor.id;
  review.state = state;
  review.body = body;
  review.commit_sha = commit_sha;
  review.submitted_at = pull.updated_at = Now();
  pull.reviews.push_back(std::move(review));
  Event event = EventOn(repo, actor, pull, Happening::kReviewSubmitted);
  event.review = pull.reviews.back().id;
  Raise(event);
  return pull.reviews.back();
}

void World::SubmitReview(Repo& repo, const User& actor, Pull& pull, Review& review,
                         std::string_view state, std::string_view body) {
  review.state = state;
  review.body = body;
  review.submitted_at = pull.updated_at = Now();
  Event event = EventOn(repo, actor, pull, Happening::kReviewSubmitted);
  event.review = review.id;
  Raise(event);
}

void World::DeleteDiffNote(Pull& pull, Id id) {
  for (Discussion& discussion : pull.discussions) {
    std::erase_if(discussion.notes, [id](const DiffNote& note) { return note.id == id; });
  }
  std::erase_if(pull.discussions,
                [](const Discussion& discussion) { return discussion.notes.empty(); });
}

void World::RaiseDiscussionNote(const Repo& repo, const User& actor, const Pull& pull,
                                const Discussion& discussion) {
  Event event =
      EventOn(repo, actor, pull,
              discussion.position ? Happening::kDiffNoteCreated : Happening::kNoteCreated);
  event.note = discussion.notes.back().id;
  event.review = discussion.notes.back().review;
  event.discussion = discussion.id;
  Raise(event);
}

Discussion& World::StartDiscussion(Repo& repo, const User& actor, Pull& pull,
                                   std::optional<Position> position, std::string_view body,
                                   Id review, std::string_view commit_sha) {
  Discussion discussion;
  discussion.id = RandomHex(20);
  discussion.position = std::move(position);
  DiffNote note;
  note.id = NextId();
  note.author = actor.id;
  note.body = body;
  note.review = review;
  note.commit_sha = commit_sha;
  note.created_at = note.updated_at = pull.updated_at = Now();
  discussion.notes.push_back(std::move(note));
  pull.discussions.push_back(std::move(discussion));
  RaiseDiscussionNote(repo, actor, pull, pull.discussions.back());
  return pull.discussions.back();
}

DiffNote& World::ReplyToDiscussion(Repo& repo, const User& actor, Pull& pull,
                                   Discussion& discussion, std::string_view body, Id review) {
  DiffNote note;
  note.id = NextId();
  note.author = actor.id;
  note.body = body;
  note.review = review;
  note.in_reply_to = discussion.notes.front().id;
  note.commit_sha = pull.head_sha;
  note.created_at = note.updated_at = pull.updated_at = Now();
  discussion.notes.push_back(std::move(note));
  RaiseDiscussionNote(repo, actor, pull, discussion);
  return discussion.notes.back();
}

void World::FollowBranch(Repo& repo, const User& actor, const std::string& branch,
                         const std::string& before, const std::string& after) {
  for (auto& [number, pull] : repo.pulls) {
    if (!pull.open) continue;
    if (pull.head_ref == branch && after == kZeroSha) {
      SetOpen(repo, actor, pull, false, "");
    } else if (pull.head_ref == branch) {
      pull.head_sha = after;
      pull.updated_at = Now();
      SyncPullRefs(repo, pull);
      Event event = EventOn(repo, actor, pull, Happening::kPullSynchronized);
      event.sha_before = before;
      event.sha_after = after;
      Raise(event);
    } else if (pull.base_ref == branch && after != kZeroSha) {
      // A head that a push to the base already contains counts as merged, at both forges.
      if (IsAncestor(repo.git_dir, pull.head_sha, after)) MarkMerged(repo, actor, pull, after);
    }
  }
}

void World::RefsMoved(Repo& repo, const User& actor,
                      const std::map<std::string, std::string>& before) {
  const std::map<std::string, std::string> after = RefsOf(repo);
  std::map<std::string, std::string> all = before;
  all.insert(after.begin(), after.end());
  for (const auto& [ref, ignored] : all) {
    const std::string from = ShaIn(before, ref);
    const std::string to = ShaIn(after, ref);
    if (from == to) continue;
    repo.pushed_at = Now();
    Event event;
    event.what = Happening::kPush;
    event.repo = repo.id;
    event.actor = actor.id;
    event.ref = ref;
    event.sha_before = from;
    event.sha_after = to;
    Raise(event);
    if (ref.starts_with(kHeads)) FollowBranch(repo, actor, ref.substr(kHeads.size()), from, to);
  }
}

}  // namespace swage::sandbox
