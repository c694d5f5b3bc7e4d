#include <algorithm>
#include <array>

#include "config/base/text.h"
#include "forge/sandbox/git_repo.h"
#include "forge/sandbox/markdown_html.h"
#include "forge/sandbox/page.h"
#include "forge/sandbox/text_effects.h"

namespace swage::sandbox::page {
namespace {

constexpr std::size_t kShortSha = 7;
constexpr int kAvatarColours = 8;

bool IsGitLab(const World& world) {
  return world.dialect() == Dialect::kGitLab;
}

std::string_view DialectName(Dialect dialect) {
  switch (dialect) {
    case Dialect::kGitHub:
      return "GitHub dialect";
    case Dialect::kGitLab:
      return "GitLab dialect";
    case Dialect::kGitea:
      return "Gitea dialect";
  }
  return "";
}

std::string_view ThreadPlace(Dialect dialect, bool on_pull) {
  switch (dialect) {
    case Dialect::kGitHub:
      return on_pull ? "/pull/" : "/issues/";
    case Dialect::kGitLab:
      return on_pull ? "/-/merge_requests/" : "/-/issues/";
    case Dialect::kGitea:
      return on_pull ? "/pulls/" : "/issues/";
  }
  return "/";
}

std::string Short(std::string_view sha) {
  return std::string(sha.substr(0, kShortSha));
}

Json UserView(const World& world, Id id) {
  const User& user = world.UserOf(id);
  std::string initial = user.login.substr(0, 1);
  if (!initial.empty())
    initial[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(initial[0])));
  return {{"login", user.login},
          {"bot", user.is_bot},
          {"initial", initial},
          {"colour", std::to_string(id % kAvatarColours)}};
}

Json LabelViews(const std::vector<std::string>& names) {
  Json labels = Json::array();
  for (const std::string& name : names) {
    std::size_t colour = 0;
    for (const char c : name) colour = colour * 31 + static_cast<unsigned char>(c);
    labels.push_back({{"name", name}, {"colour", std::to_string(colour % kAvatarColours)}});
  }
  return labels;
}

/// Icon files are named after GitHub's words; GitLab's own are mapped to them.
Json AwardViews(const World& world, const std::vector<Award>& awards) {
  struct Word {
    std::string_view content;
    std::string_view icon;
  };
  static constexpr std::array<Word, 8> kWords = {{{"eyes", "eyes"},
                                                  {"rocket", "rocket"},
                                                  {"+1", "up"},
                                                  {"thumbsup", "up"},
                                                  {"-1", "down"},
                                                  {"thumbsdown", "down"},
                                                  {"confused", "confused"},
                                                  {"heart", "heart"}}};
  std::map<std::string, Json> groups;
  for (const Award& award : awards) {
    Json& group = groups[award.content];
    const auto* word = std::find_if(kWords.begin(), kWords.end(),
                                    [&](const Word& w) { return w.content == award.content; });
    group["icon"] = word == kWords.end() ? "" : word->icon;
    group["content"] = award.content;
    group["count"] = group.value("count", 0) + 1;
    const std::string who = group.value("who", "");
    group["who"] = (who.empty() ? "" : who + ", ") + world.UserOf(award.user).login;
  }
  Json views = Json::array();
  for (auto& [content, group] : groups) views.push_back(std::move(group));
  return views;
}

/// "ok", "bad", "run" or "none": which icon and colour a status has.
std::string_view Tone(std::string_view state) {
  if (state == "success") return "ok";
  if (state == "failure" || state == "failed" || state == "error" || state == "timed_out")
    return "bad";
  if (state == "pending" || state == "running" || state == "queued" || state == "in_progress")
    return "run";
  return "none";
}

/// Only addresses of the web become links.
std::string WebLink(std::string_view url) {
  return url.starts_with("http://") || url.starts_with("https://") ? std::string(url) : "";
}

/// Newest status per context, and the check runs, of a commit.
Json Checks(const Repo& repo, std::string_view sha) {
  std::map<std::string, Json> checks;
  for (const Status& status : repo.statuses) {
    if (status.sha != sha) continue;
    checks[status.context] = {
        {"name", status.context},
        {"text", status.description.empty() ? status.state : status.description},
        {"tone", Tone(status.state)},
        {"url", WebLink(status.target_url)}};
  }
  for (const CheckRun& run : repo.check_runs) {
    if (run.head_sha != sha) continue;
    const std::string& state = run.conclusion.empty() ? run.status : run.conclusion;
    checks[run.name] = {{"name", run.name},
                        {"text", run.title.empty() ? state : run.title},
                        {"tone", Tone(state)},
                        {"url", WebLink(run.details_url)}};
  }
  Json rows = Json::array();
  for (auto& [name, check] : checks) rows.push_back(std::move(check));
  return rows;
}

Json ChecksSummary(const Json& checks) {
  int bad = 0;
  int run = 0;
  for (const Json& check : checks) {
    bad += check["tone"] == "bad" ? 1 : 0;
    run += check["tone"] == "run" ? 1 : 0;
  }
  const std::string total = std::to_string(checks.size());
  if (bad > 0)
    return {{"tone", "bad"}, {"text", std::to_string(bad) + " of " + total + " checks failed"}};
  if (run > 0)
    return {{"tone", "run"},
            {"text", std::to_string(run) + " of " + total + " checks are running"}};
  return {{"tone", "ok"}, {"text", "All " + total + " checks have passed"}};
}

/// What issues and pull requests show alike.
Json ThreadView(World& world, const Issue& issue) {
  return {{"title", issue.title},
          {"body", NoteView(world, issue.author, issue.body, issue.created_at, issue.created_at,
                            issue.awards)},
          {"author", UserView(world, issue.author)},
          {"age", Age(issue.created_at, world.Now())},
          {"open", issue.open},
          {"labels", LabelViews(issue.labels)}};
}

/// Something in a timeline and when it happened.
struct Entry {
  WallTime at;
  Json view;
};

Json InOrder(std::vector<Entry> entries) {
  std::stable_sort(entries.begin(), entries.end(),
                   [](const Entry& a, const Entry& b) { return a.at < b.at; });
  Json list = Json::array();
  for (Entry& entry : entries) {
    if (list.size() < kMaxShown) list.push_back(std::move(entry.view));
  }
  return list;
}

Entry NoteEntry(World& world, const Note& note) {
  Json view =
      NoteView(world, note.author, note.body, note.created_at, note.updated_at, note.awards);
  view["is_note"] = true;
  return {note.created_at, std::move(view)};
}

std::ptrdiff_t CommentsOf(const Pull& pull, const Review& review) {
  return std::count_if(pull.discussions.begin(), pull.discussions.end(),
                       [&](const Discussion& d) { return d.notes.front().review == review.id; });
}

/// Replies to a review comment come as reviews of their own, empty ones; they are no news.
bool IsEmptyReview(const Pull& pull, const Review& review) {
  return review.state == "COMMENTED" && Trim(review.body).empty() && CommentsOf(pull, review) == 0;
}

Entry ReviewEntry(World& world, const Pull& pull, const Review& review) {
  Json view =
      NoteView(world, review.author, review.body, review.submitted_at, review.submitted_at, {});
  const auto comments = CommentsOf(pull, review);
  view["is_review"] = true;
  view["approved"] = review.state == "APPROVED";
  view["changes"] = review.state == "CHANGES_REQUESTED";
  view["has_body"] = !Trim(review.body).empty();
  if (comments > 0) {
    view["on_diff"] =
        std::to_string(comments) + (comments == 1 ? " comment" : " comments") + " on the diff";
  }
  return {review.submitted_at, std::move(view)};
}

Entry EventEntry(World& world, WallTime at, Id who, std::string_view tone, const std::string& text,
                 const std::string& sha) {
  return {at,
          {{"is_event", true},
           {"author", UserView(world, who)},
           {"tone", tone},
           {"text", text},
           {"sha", Short(sha)},
           {"age", Age(at, world.Now())}}};
}

Json PullTimeline(World& world, const Repo& repo, const Pull& pull) {
  std::vector<Entry> entries;
  const auto commits = CommitsBetween(repo.git_dir, pull.base_sha, pull.head_sha, kMaxShown);
  for (const CommitInfo& commit : commits.ok() ? *commits : std::vector<CommitInfo>()) {
    entries.push_back({commit.committer.at,
                       {{"is_commit", true},
                        {"sha", Short(commit.sha)},
                        {"subject", commit.message.substr(0, commit.message.find('\n'))},
                        {"who", commit.author.name}}});
  }
  for (const Note& note : pull.notes) entries.push_back(NoteEntry(world, note));
  for (const Review& review : pull.reviews) {
    if (!IsEmptyReview(pull, review)) entries.push_back(ReviewEntry(world, pull, review));
  }
  for (const Discussion& discussion : pull.discussions) {
    if (discussion.position) continue;
    for (const DiffNote& note : discussion.notes) entries.push_back(NoteEntry(world, note));
  }
  if (pull.merged && pull.merged_at) {
    entries.push_back(EventEntry(world, *pull.merged_at, pull.merged_by, "merged",
                                 "merged this into " + pull.base_ref, pull.merge_sha));
  } else if (!pull.open && pull.closed_at) {
    entries.push_back(
        EventEntry(world, *pull.closed_at, pull.closed_by, "closed", "closed this", ""));
  }
  return InOrder(std::move(entries));
}

std::string Comments(std::size_t n) {
  return std::to_string(n) + (n == 1 ? " comment" : " comments");
}

std::string PullState(const Pull& pull) {
  if (pull.merged) return "merged";
  if (!pull.open) return "closed";
  return pull.draft ? "draft" : "open";
}

}  // namespace

bool IsGroup(const User& user) {
  return user.login.find('/') != std::string::npos;
}

std::string RepoUrl(const Repo& repo) {
  return "/" + repo.Path();
}

std::string ThreadUrl(Dialect dialect, const Repo& repo, bool on_pull, std::int64_t number) {
  return RepoUrl(repo) + std::string(ThreadPlace(dialect, on_pull)) + std::to_string(number);
}

std::string Age(WallTime then, WallTime now) {
  const auto s = std::chrono::duration_cast<std::chrono::seconds>(now - then).count();
  if (s < 5) return "just now";
  if (s < 60) return std::to_string(s) + " seconds ago";
  if (s < 120) return "1 minute ago";
  if (s < 3600) return std::to_string(s / 60) + " minutes ago";
  if (s < 7200) return "1 hour ago";
  if (s < 48 * 3600) return std::to_string(s / 3600) + " hours ago";
  return std::to_string(s / 86'400) + " days ago";
}

Json Layout(const Call& call, const User* viewer, std::string_view title, const Repo* repo) {
  const bool gitlab = IsGitLab(call.world);
  Json users = Json::array();
  for (const auto& user : call.world.users()) {
    if (IsGroup(*user)) continue;
    users.push_back({{"login", user->login}, {"selected", user.get() == viewer}});
  }
  Json view = {{"page_title", title},
               {"dialect", DialectName(call.world.dialect())},
               {"users", users},
               {"viewer", viewer ? UserView(call.world, viewer->id) : Json(nullptr)},
               {"here", call.request.path},
               {"pull_word", gitlab ? "merge request" : "pull request"},
               {"pulls_word", gitlab ? "Merge requests" : "Pull requests"},
               {"merge_word", gitlab ? "Merge" : "Merge pull request"},
               {"pull_sign", gitlab ? "!" : "#"},
               {"on_issues", false},
               {"on_pulls", false},
               {"on_deliveries", false},
               {"repo", nullptr}};
  if (repo == nullptr) return view;
  const auto open = [](const auto& all) {
    return std::count_if(all.begin(), all.end(), [](const auto& item) { return item.second.open; });
  };
  view["repo"] = {{"path", repo->Path()},
                  {"owner", repo->owner},
                  {"name", repo->name},
                  {"url", RepoUrl(*repo)},
                  {"prefix", RepoUrl(*repo) + (gitlab ? "/-/" : "/")},
                  {"pulls_path", gitlab ? "merge_requests" : "pulls"},
                  {"open_issues", open(repo->issues)},
                  {"open_pulls", open(repo->pulls)}};
  return view;
}

Json NoteView(World& world, Id author, std::string_view body, WallTime created, WallTime updated,
              const std::vector<Award>& awards) {
  return {{"author", UserView(world, author)},   {"age", Age(created, world.Now())},
          {"edited", updated > created},         {"html", RenderMarkdown(body)},
          {"awards", AwardViews(world, awards)}, {"has_awards", !awards.empty()}};
}

Json RepoRows(World& world) {
  Json rows = Json::array();
  for (const auto& repo : world.repos()) {
    if (rows.size() == kMaxShown) break;
    rows.push_back({{"path", repo->Path()},
                    {"url", RepoUrl(*repo)},
                    {"branch", repo->default_branch},
                    {"issues", repo->issues.size()},
                    {"pulls", repo->pulls.size()},
                    {"age", Age(repo->pushed_at, world.Now())}});
  }
  return rows;
}

Json IssueRows(World& world, const Repo& repo) {
  Json rows = Json::array();
  for (auto it = repo.issues.rbegin(); it != repo.issues.rend() && rows.size() < kMaxShown; ++it) {
    const Issue& issue = it->second;
    rows.push_back({{"number", issue.number},
                    {"sign", "#"},
                    {"title", issue.title},
                    {"url", ThreadUrl(world.dialect(), repo, false, issue.number)},
                    {"state", issue.open ? "open" : "done"},
                    {"author", UserView(world, issue.author)},
                    {"age", Age(issue.created_at, world.Now())},
                    {"labels", LabelViews(issue.labels)},
                    {"notes", Comments(issue.notes.size())}});
  }
  return rows;
}

Json PullRows(World& world, const Repo& repo) {
  Json rows = Json::array();
  for (auto it = repo.pulls.rbegin(); it != repo.pulls.rend() && rows.size() < kMaxShown; ++it) {
    const Pull& pull = it->second;
    rows.push_back({{"number", pull.number},
                    {"sign", IsGitLab(world) ? "!" : "#"},
                    {"title", pull.title},
                    {"url", ThreadUrl(world.dialect(), repo, true, pull.number)},
                    {"state", PullState(pull)},
                    {"author", UserView(world, pull.author)},
                    {"age", Age(pull.created_at, world.Now())},
                    {"labels", LabelViews(pull.labels)},
                    {"notes", Comments(pull.notes.size() + pull.discussions.size())}});
  }
  return rows;
}

Json DeliveryRows(const World& world, const Repo& repo, const WebhookSender& sender) {
  Json rows = Json::array();
  const std::vector<Delivery> all = sender.Deliveries();
  for (auto it = all.rbegin(); it != all.rend() && rows.size() < kMaxShown; ++it) {
    if (it->repo != repo.id) continue;
    const bool good = it->status >= 200 && it->status < 300;
    const std::string outcome = it->dropped       ? "dropped"
                                : !it->done       ? "waiting"
                                : it->status == 0 ? "no answer"
                                                  : std::to_string(it->status);
    rows.push_back({{"event", it->event},
                    {"action", it->action},
                    {"guid", it->guid},
                    {"to", it->url},
                    {"tone", !it->done ? "run"
                             : good    ? "ok"
                                       : "bad"},
                    {"outcome", outcome},
                    {"again", it->redelivery},
                    {"ms", it->duration_ms},
                    {"age", it->done ? Age(it->delivered_at, world.Now()) : ""},
                    {"payload", it->payload.substr(0, 4'000)}});
  }
  return rows;
}

Json IssueView(World& world, Repo& repo, const Issue& issue) {
  Json view = ThreadView(world, issue);
  std::vector<Entry> entries;
  for (const Note& note : issue.notes) entries.push_back(NoteEntry(world, note));
  if (!issue.open && issue.closed_at) {
    entries.push_back(
        EventEntry(world, *issue.closed_at, issue.closed_by, "done", "closed this", ""));
  }
  view["timeline"] = InOrder(std::move(entries));
  view["state"] = issue.open ? "open" : "done";
  view["state_word"] = issue.open ? "Open" : "Closed";
  view["closers"] = Json::array();
  for (const auto& [number, pull] : repo.pulls) {
    const auto refs = ClosingRefs(world.dialect(), VisibleWords(pull.body));
    const bool names = std::any_of(refs.begin(), refs.end(), [&](const IssueRef& ref) {
      return ref.number == issue.number && (ref.repo_path.empty() || ref.repo_path == repo.Path());
    });
    if (!names) continue;
    view["closers"].push_back({{"number", number},
                               {"title", pull.title},
                               {"state", PullState(pull)},
                               {"url", ThreadUrl(world.dialect(), repo, true, number)}});
  }
  view["linked"] = !view["closers"].empty();
  return view;
}

Json PullView(World& world, Repo& repo, const Pull& pull) {
  Json view = ThreadView(world, pull);
  const std::string state = PullState(pull);
  std::string word = state;
  word[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(word[0])));
  const auto files = DiffOf(repo.git_dir, pull.base_sha, pull.head_sha);
  const Json checks = Checks(repo, pull.head_sha);
  Json reviewers = Json::array();
  std::map<Id, std::string> latest;
  for (const Review& review : pull.reviews) {
    if (review.author != pull.author && !IsEmptyReview(pull, review))
      latest[review.author] = review.state;
  }
  for (const auto& [id, verdict] : latest) {
    Json reviewer = UserView(world, id);
    reviewer["tone"] = verdict == "APPROVED"            ? "ok"
                       : verdict == "CHANGES_REQUESTED" ? "bad"
                                                        : "none";
    reviewers.push_back(std::move(reviewer));
  }
  const auto commits = CommitsBetween(repo.git_dir, pull.base_sha, pull.head_sha, kMaxShown);
  const std::size_t count = commits.ok() ? commits->size() : 0;
  const bool mergeable = pull.open && !pull.draft && world.IsMergeable(repo, pull);
  view.update({{"state", state},
               {"state_word", word},
               {"head_ref", pull.head_ref},
               {"base_ref", pull.base_ref},
               {"head_sha", Short(pull.head_sha)},
               {"commits", std::to_string(count) + (count == 1 ? " commit" : " commits")},
               {"timeline", PullTimeline(world, repo, pull)},
               {"checks", checks},
               {"has_checks", !checks.empty()},
               {"summary", ChecksSummary(checks)},
               {"reviewers", reviewers},
               {"diff", DiffView(world, pull, files.ok() ? *files : std::vector<FileDiff>())},
               {"mergeable", mergeable},
               {"conflict", pull.open && !pull.draft && !mergeable},
               {"draft", pull.open && pull.draft},
               {"merged", pull.merged}});
  return view;
}

}  // namespace swage::sandbox::page
