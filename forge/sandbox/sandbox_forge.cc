#include "forge/sandbox/sandbox_forge.h"

#include <fmt/format.h>

#include "config/base/crypto.h"
#include "config/base/files.h"
#include "forge/sandbox/git_repo.h"
#include "forge/sandbox/sandbox_state.h"

namespace swage::sandbox {

SandboxForge::SandboxForge(std::unique_ptr<State> state) : state_(std::move(state)) {}

SandboxForge::~SandboxForge() {
  Stop();
}

Result<std::unique_ptr<SandboxForge>> SandboxForge::Start(SandboxOptions options) {
  SWAGE_RETURN_IF_ERROR(MakeDirs(options.data_dir / "repos"));
  SWAGE_RETURN_IF_ERROR(MakeDirs(options.data_dir / "home"));
  options.data_dir = std::filesystem::absolute(options.data_dir);
  auto state = std::make_unique<State>(std::move(options));
  SWAGE_RETURN_IF_ERROR(state->Listen());
  return std::unique_ptr<SandboxForge>(new SandboxForge(std::move(state)));
}

void SandboxForge::Stop() {
  state_->Stop();
}
int SandboxForge::Port() const {
  return state_->server->Port();
}
std::string SandboxForge::Url() const {
  return state_->base;
}

std::string SandboxForge::ApiUrl() const {
  switch (state_->options.dialect) {
    case Dialect::kGitHub:
      return Url();
    case Dialect::kGitLab:
      return Url() + "/api/v4";
    case Dialect::kGitea:
      return Url() + "/api/v1";
  }
  return Url();
}

std::string SandboxForge::GitUrl(std::string_view repo) const {
  return fmt::format("{}/{}.git", Url(), repo);
}

Faults& SandboxForge::faults() {
  return state_->faults;
}

// --- setting the scene ---

std::string SandboxForge::CreateUser(std::string_view login, bool is_bot) {
  return state_->Change([&](World& world) {
    User* user = world.FindUser(login);
    if (user == nullptr) user = &world.AddUser(login, is_bot, RandomHex(20));
    user->is_bot = user->is_bot || is_bot;
    return user->token;
  });
}

Result<void> SandboxForge::CreateRepoFromGit(std::string_view path,
                                             const std::filesystem::path& source) {
  return state_->Change([&](World& world) -> Result<void> {
    SWAGE_RETURN_IF_ERROR(world.AddRepoFromGit(path, source));
    return Ok();
  });
}

Result<void> SandboxForge::CreateRepoFromFiles(std::string_view path,
                                               const std::map<std::string, std::string>& files) {
  return state_->Change([&](World& world) -> Result<void> {
    SWAGE_RETURN_IF_ERROR(world.AddRepoFromFiles(path, files));
    return Ok();
  });
}

void SandboxForge::SetMember(std::string_view repo, std::string_view login, Role role) {
  state_->In(repo, login, [&](World&, Repo& in, User& user) {
    if (role == Role::kNone) {
      in.members.erase(user.id);
    } else {
      in.members[user.id] = role;
    }
  });
}

void SandboxForge::SetPrivate(std::string_view repo, bool is_private) {
  state_->In(repo, [&](World&, Repo& in) { in.is_private = is_private; });
}

Id SandboxForge::AddWebhook(std::string_view repo, std::string_view url, std::string_view secret) {
  return state_->In(repo, [&](World& world, Repo& in) {
    Hook hook;
    hook.url = url;
    hook.secret = secret;
    return world.AddHook(in, *world.FindUser(in.owner), std::move(hook)).id;
  });
}

// --- acting as a user ---

std::int64_t SandboxForge::CreateIssue(std::string_view repo, std::string_view login,
                                       std::string_view title, std::string_view body,
                                       const std::vector<std::string>& labels) {
  return state_->In(repo, login, [&](World& world, Repo& in, User& user) {
    return world.OpenIssue(in, user, title, body, labels).number;
  });
}

void SandboxForge::AddLabel(std::string_view repo, std::string_view login, std::int64_t number,
                            std::string_view label) {
  state_->OnIssue(repo, login, number, [&](World& world, Repo& in, User& user, Issue& issue) {
    std::vector<std::string> labels = issue.labels;
    labels.emplace_back(label);
    world.SetLabels(in, user, issue, labels);
  });
}

void SandboxForge::Assign(std::string_view repo, std::string_view login, std::int64_t number,
                          const std::vector<std::string>& assignees) {
  state_->OnIssue(repo, login, number, [&](World& world, Repo& in, User& user, Issue& issue) {
    std::vector<Id> ids;
    for (const std::string& name : assignees) {
      if (const User* const one = world.FindUser(name)) ids.push_back(one->id);
    }
    world.SetAssignees(in, user, issue, std::move(ids));
  });
}

void SandboxForge::RemoveLabel(std::string_view repo, std::string_view login, std::int64_t number,
                               std::string_view label) {
  state_->OnIssue(repo, login, number, [&](World& world, Repo& in, User& user, Issue& issue) {
    std::vector<std::string> labels = issue.labels;
    std::erase(labels, label);
    world.SetLabels(in, user, issue, labels);
  });
}

void SandboxForge::EditIssue(std::string_view repo, std::string_view login, std::int64_t number,
                             const IssueChange& change) {
  state_->OnIssue(repo, login, number, [&](World& world, Repo& in, User& user, Issue& issue) {
    world.Update(in, user, issue, change);
  });
}

void SandboxForge::CloseIssue(std::string_view repo, std::string_view login, std::int64_t number) {
  IssueChange change;
  change.open = false;
  EditIssue(repo, login, number, change);
}

void SandboxForge::ReopenIssue(std::string_view repo, std::string_view login, std::int64_t number) {
  IssueChange change;
  change.open = true;
  EditIssue(repo, login, number, change);
}

void SandboxForge::DeleteIssue(std::string_view repo, std::string_view login, std::int64_t number) {
  state_->OnIssue(repo, login, number, [&](World& world, Repo& in, User& user, Issue&) {
    world.DeleteIssue(in, user, number);
  });
}

std::int64_t SandboxForge::MoveIssue(std::string_view repo, std::string_view login,
                                     std::int64_t number, std::string_view target) {
  return state_->OnIssue(repo, login, number,
                         [&](World& world, Repo& in, User& user, Issue& issue) {
                           Repo* const to = world.FindRepo(target);
                           SWAGE_CHECK(to != nullptr);
                           return world.MoveIssue(in, user, issue, *to).number;
                         });
}

Id SandboxForge::Comment(std::string_view repo, std::string_view login, std::int64_t number,
                         std::string_view body) {
  return state_->OnIssue(repo, login, number,
                         [&](World& world, Repo& in, User& user, Issue& issue) {
                           return world.AddNote(in, user, issue, body).id;
                         });
}

Id SandboxForge::CommentOnPull(std::string_view repo, std::string_view login, std::int64_t number,
                               std::string_view body) {
  return state_->OnPull(repo, login, number, [&](World& world, Repo& in, User& user, Pull& pull) {
    return world.AddNote(in, user, pull, body).id;
  });
}

Result<std::int64_t> SandboxForge::CreatePull(std::string_view repo, std::string_view login,
                                              const NewPull& pull) {
  return state_->In(repo, login, [&](World& world, Repo& in, User& user) -> Result<std::int64_t> {
    SWAGE_ASSIGN_OR_RETURN(const Pull* const opened, world.OpenPull(in, user, pull));
    return opened->number;
  });
}

void SandboxForge::ClosePull(std::string_view repo, std::string_view login, std::int64_t number) {
  state_->OnPull(repo, login, number, [&](World& world, Repo& in, User& user, Pull& pull) {
    IssueChange change;
    change.open = false;
    world.Update(in, user, pull, change);
  });
}

Result<void> SandboxForge::MergePull(std::string_view repo, std::string_view login,
                                     std::int64_t number) {
  return state_->OnPull(
      repo, login, number, [&](World& world, Repo& in, User& user, Pull& pull) -> Result<void> {
        SWAGE_RETURN_IF_ERROR(
            world.MergePull(in, user, pull, "", fmt::format("Merge {}", pull.head_ref)));
        return Ok();
      });
}

Result<std::string> SandboxForge::CommitToBranch(std::string_view repo, std::string_view login,
                                                 std::string_view branch,
                                                 const std::map<std::string, std::string>& files,
                                                 std::string_view message) {
  return state_->In(repo, login, [&](World& world, Repo& in, User& user) -> Result<std::string> {
    const auto before = world.RefsOf(in);
    SWAGE_RETURN_IF_ERROR(StartBranch(in, branch));
    SWAGE_ASSIGN_OR_RETURN(std::string sha, CommitFiles(in.git_dir, branch, files, message,
                                                        PersonOf(user, world.Now())));
    world.RefsMoved(in, user, before);
    return sha;
  });
}

bool SandboxForge::Redeliver(Id delivery) {
  const std::optional<Delivery> earlier = state_->sender->Find(delivery);
  if (!earlier.has_value()) return false;
  return state_->Change([&](World& world) {
    Repo* repo = world.FindRepo(earlier->repo);
    const Hook* hook = repo == nullptr ? nullptr : world.FindHook(*repo, earlier->hook);
    return hook != nullptr && state_->sender->Redeliver(*hook, delivery).has_value();
  });
}

// --- looking ---

std::optional<Issue> SandboxForge::GetIssue(std::string_view repo, std::int64_t number) const {
  return state_->In(repo, [&](World& world, Repo& in) -> std::optional<Issue> {
    const Issue* issue = world.FindIssue(in, number);
    return issue == nullptr ? std::nullopt : std::optional<Issue>(*issue);
  });
}

std::vector<Issue> SandboxForge::Issues(std::string_view repo) const {
  return state_->In(repo, [](World&, Repo& in) {
    std::vector<Issue> all;
    for (const auto& [number, issue] : in.issues) all.push_back(issue);
    return all;
  });
}

std::optional<Pull> SandboxForge::GetPull(std::string_view repo, std::int64_t number) const {
  return state_->In(repo, [&](World& world, Repo& in) -> std::optional<Pull> {
    const Pull* pull = world.FindPull(in, number);
    return pull == nullptr ? std::nullopt : std::optional<Pull>(*pull);
  });
}

std::vector<Pull> SandboxForge::Pulls(std::string_view repo) const {
  return state_->In(repo, [](World&, Repo& in) {
    std::vector<Pull> all;
    for (const auto& [number, pull] : in.pulls) all.push_back(pull);
    return all;
  });
}

std::vector<Status> SandboxForge::Statuses(std::string_view repo, std::string_view sha) const {
  return state_->In(repo, [&](World&, Repo& in) {
    std::vector<Status> some = in.statuses;
    if (!sha.empty()) std::erase_if(some, [&](const Status& s) { return s.sha != sha; });
    return some;
  });
}

std::vector<CheckRun> SandboxForge::CheckRuns(std::string_view repo) const {
  return state_->In(repo, [](World&, Repo& in) { return in.check_runs; });
}

std::map<std::string, std::string> SandboxForge::Branches(std::string_view repo) const {
  constexpr std::string_view kHeads = "refs/heads/";
  return state_->In(repo, [&](World&, Repo& in) {
    std::map<std::string, std::string> branches;
    for (const auto& [ref, sha] : ListRefs(in.git_dir, kHeads)) {
      branches.emplace(ref.substr(kHeads.size()), sha);
    }
    return branches;
  });
}

Result<std::string> SandboxForge::ReadFileAt(std::string_view repo, std::string_view branch,
                                             std::string_view path) const {
  return state_->In(repo, [&](World&, Repo& in) -> Result<std::string> {
    SWAGE_ASSIGN_OR_RETURN(Blob blob, ReadBlobAt(in.git_dir, branch, path));
    return std::move(blob.bytes);
  });
}

std::filesystem::path SandboxForge::GitDir(std::string_view repo) const {
  return state_->In(repo, [](World&, Repo& in) { return in.git_dir; });
}

std::string SandboxForge::LoginOf(Id user) const {
  return state_->Change([&](World& world) { return world.UserOf(user).login; });
}

Id SandboxForge::RepoId(std::string_view repo) const {
  return state_->In(repo, [](World&, Repo& in) { return in.id; });
}

std::vector<Delivery> SandboxForge::Deliveries() const {
  return state_->sender->Deliveries();
}

std::vector<LoggedRequest> SandboxForge::Requests() const {
  return state_->Change([](World& world) {
    return std::vector<LoggedRequest>(world.log().begin(), world.log().end());
  });
}

void SandboxForge::ClearRequests() {
  state_->Change([](World& world) { world.ClearLog(); });
}

bool SandboxForge::WaitForWebhooks(std::chrono::milliseconds limit) const {
  return state_->sender->WaitIdle(limit);
}

bool SandboxForge::WaitUntil(const std::function<bool(World&)>& predicate,
                             std::chrono::milliseconds limit) {
  std::unique_lock lock(state_->mutex);
  return state_->changed.wait_for(lock, limit, [&] { return predicate(state_->world); });
}

void SandboxForge::With(const std::function<void(World&)>& action) {
  state_->Change(action);
}

}  // namespace swage::sandbox
