#include "forge/sandbox/text_effects.h"

#include <re2/re2.h>

#include <algorithm>
#include <cctype>

#include "config/base/text.h"
#include "forge/sandbox/git_repo.h"
#include "forge/sandbox/markdown_html.h"

namespace swage::sandbox {
namespace {

constexpr std::size_t kMaxRefs = 100;
constexpr std::size_t kMaxMentions = 1'000;

bool IsWord(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_';
}
bool IsNamePart(char c) {
  return IsWord(c) || c == '-' || c == '.' || c == '/';
}

const RE2& Keyword(Dialect dialect) {
  static const RE2 github(R"((?i)\b(?:close[sd]?|fix(?:e[sd])?|resolve[sd]?):?\s+)");
  static const RE2 gitlab(
      R"((?i)\b(?:clos(?:e[sd]?|ing)|fix(?:e[sd]|ing)?|resolv(?:e[sd]?|ing)|implement(?:s|ed|ing)?):?\s+(?:issues?\s+)?)");
  return dialect == Dialect::kGitLab ? gitlab : github;
}

/// Takes one reference off the front.
bool TakeRef(re2::StringPiece* rest, IssueRef* ref) {
  static const RE2 reference(
      R"((?i)(?:https?://[^\s/]+/([\w./-]+?)/(?:-/)?issues/|([\w.-]+(?:/[\w.-]+)+)#|#|GH-)(\d{1,9})\b)");
  std::string by_url;
  std::string by_path;
  if (!RE2::Consume(rest, reference, &by_url, &by_path, &ref->number)) return false;
  ref->repo_path = by_url.empty() ? by_path : by_url;
  return true;
}

/// The text that an event brought into the world.
std::string TextOf(World& world, Repo& repo, const Event& event) {
  if (event.note != 0) {
    if (const auto at = world.FindNote(repo, event.note); at.note) return at.note->body;
    if (const auto at = world.FindDiffNote(repo, event.note); at.note) return at.note->body;
    return "";
  }
  if (event.review != 0) {
    if (const Pull* pull = world.FindPull(repo, event.number)) {
      for (const Review& review : pull->reviews) {
        if (review.id == event.review) return review.body;
      }
    }
    return "";
  }
  const Issue* thread =
      event.on_pull ? world.FindPull(repo, event.number) : world.FindIssue(repo, event.number);
  return thread ? thread->body : "";
}

bool BringsText(Happening what) {
  switch (what) {
    case Happening::kIssueOpened:
    case Happening::kIssueEdited:
    case Happening::kNoteCreated:
    case Happening::kNoteEdited:
    case Happening::kPullOpened:
    case Happening::kPullEdited:
    case Happening::kReviewSubmitted:
    case Happening::kDiffNoteCreated:
      return true;
    case Happening::kIssueClosed:
    case Happening::kIssueReopened:
    case Happening::kIssueDeleted:
    case Happening::kIssueTransferred:
    case Happening::kLabelsChanged:
    case Happening::kAssigneesChanged:
    case Happening::kNoteDeleted:
    case Happening::kPullSynchronized:
    case Happening::kPullClosed:
    case Happening::kPullReopened:
    case Happening::kPullReadyForReview:
    case Happening::kPullConvertedToDraft:
    case Happening::kPush:
    case Happening::kStatus:
    case Happening::kPing:
      return false;
  }
  return false;
}

void CloseOne(World& world, Repo& home, const User& actor, const IssueRef& ref) {
  Repo* repo = ref.repo_path.empty() ? &home : world.FindRepo(ref.repo_path);
  if (repo == nullptr || world.RoleOf(*repo, &actor) < Role::kWrite) return;
  Issue* issue = world.FindIssue(*repo, ref.number);
  if (issue == nullptr || !issue->open) return;
  IssueChange change;
  change.open = false;
  if (world.dialect() == Dialect::kGitHub) change.state_reason = "completed";
  world.Update(*repo, actor, *issue, change);
}

}  // namespace

std::vector<std::string> Mentions(std::string_view markdown) {
  const std::string words = VisibleWords(markdown);
  std::vector<std::string> names;
  for (std::size_t at = words.find('@'); at != std::string::npos && names.size() < kMaxMentions;
       at = words.find('@', at + 1)) {
    if (at > 0 && (IsWord(words[at - 1]) || words[at - 1] == '@')) continue;
    std::size_t end = at + 1;
    while (end < words.size() && IsNamePart(words[end])) ++end;
    std::string name = words.substr(at + 1, end - at - 1);
    while (!name.empty() && !IsWord(name.back())) name.pop_back();
    if (name.empty() || !IsWord(name.front())) continue;
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  return names;
}

std::vector<IssueRef> ClosingRefs(Dialect dialect, std::string_view words) {
  static const RE2 another(R"((?i)(?:\s*,\s*(?:and\s+)?|\s+and\s+))");
  std::vector<IssueRef> refs;
  re2::StringPiece rest(words.data(), words.size());
  while (refs.size() < kMaxRefs && RE2::FindAndConsume(&rest, Keyword(dialect))) {
    IssueRef ref;
    while (refs.size() < kMaxRefs && TakeRef(&rest, &ref)) {
      refs.push_back(ref);
      // "Closes #1, #2 and #3" closes three on GitLab, one on GitHub and Gitea.
      if (dialect != Dialect::kGitLab) break;
      RE2::Consume(&rest, another);
    }
  }
  return refs;
}

void NotifyMentioned(World& world, const Event& event) {
  Repo* repo = world.FindRepo(event.repo);
  if (repo == nullptr || !BringsText(event.what)) return;
  for (const std::string& name : Mentions(TextOf(world, *repo, event))) {
    const User* user = world.FindUser(name);
    repo->notifications.push_back(
        {name, user ? user->id : 0, event.actor, event.number, event.on_pull, world.Now()});
  }
  if (repo->notifications.size() > kMaxNotifications) {
    repo->notifications.erase(repo->notifications.begin());
  }
}

void CloseNamedIssues(World& world, Repo& repo, const User& actor, const Pull& pull) {
  if (pull.base_ref != repo.default_branch) return;
  std::vector<IssueRef> refs = ClosingRefs(world.dialect(), VisibleWords(pull.body));
  const auto commits = CommitsBetween(repo.git_dir, pull.base_sha, pull.head_sha);
  if (commits.ok()) {
    for (const CommitInfo& commit : *commits) {
      for (IssueRef& ref : ClosingRefs(world.dialect(), commit.message))
        refs.push_back(std::move(ref));
    }
  }
  for (const IssueRef& ref : refs) CloseOne(world, repo, actor, ref);
}

}  // namespace swage::sandbox
