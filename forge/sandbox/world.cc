#include "forge/sandbox/world.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "config/base/crypto.h"
#include "config/base/files.h"
#include "config/base/text.h"
#include "forge/sandbox/command.h"
#include "forge/sandbox/git_repo.h"
#include "forge/sandbox/text_effects.h"

namespace swage::sandbox {
namespace {

constexpr std::string_view kFirstBranch = "main";
constexpr std::string_view kPathCharacters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./";

/// "owner/name" or deeper, nothing that would leave the folder of repositories.
bool IsRepoPath(std::string_view path) {
  if (path.find_first_not_of(kPathCharacters) != std::string_view::npos) return false;
  const std::vector<std::string_view> parts = Split(path, '/');
  return parts.size() >= 2 && std::none_of(parts.begin(), parts.end(), [](std::string_view part) {
           return part.empty() || part.starts_with('.') || part.ends_with(".git");
         });
}

std::vector<std::string> Git(const std::filesystem::path& git_dir,
                             std::initializer_list<std::string> arguments) {
  std::vector<std::string> argv{"git", "--git-dir=" + git_dir.string()};
  argv.insert(argv.end(), arguments);
  return argv;
}

}  // namespace

World::World(Dialect dialect, std::filesystem::path data_dir, const Clock& clock)
    : dialect_(dialect), data_dir_(std::move(data_dir)), clock_(clock) {}

void World::Raise(const Event& event) {
  NotifyMentioned(*this, event);
  if (listener_) listener_(event);
}

// --- lookups ---

User* World::FindUser(std::string_view login) {
  for (const auto& user : users_) {
    if (EqualsIgnoreCase(user->login, login)) return user.get();
  }
  return nullptr;
}

User* World::FindUser(Id id) {
  for (const auto& user : users_) {
    if (user->id == id) return user.get();
  }
  return nullptr;
}

const User& World::UserOf(Id id) const {
  static const User ghost{10137, "ghost", "Deleted user", "", false, WallTime{}};
  for (const auto& user : users_) {
    if (user->id == id) return *user;
  }
  return ghost;
}

User* World::FindUserByToken(std::string_view token) {
  if (token.empty()) return nullptr;
  if (apps_.FindToken(token, Now()) != nullptr) return FindUser(apps_.app->bot);
  for (const auto& user : users_) {
    if (ConstantTimeEqual(user->token, token)) return user.get();
  }
  return nullptr;
}

Repo* World::FindRepo(std::string_view path) {
  for (const auto& repo : repos_) {
    if (EqualsIgnoreCase(repo->Path(), path)) return repo.get();
  }
  return nullptr;
}

Repo* World::FindFormerRepo(std::string_view path) {
  for (const auto& repo : repos_) {
    for (const std::string& former : repo->former_paths) {
      if (EqualsIgnoreCase(former, path)) return repo.get();
    }
  }
  return nullptr;
}

Repo* World::FindRepo(Id id) {
  for (const auto& repo : repos_) {
    if (repo->id == id) return repo.get();
  }
  return nullptr;
}

Result<void> World::RenameRepo(Repo& repo, std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos || FindRepo(path) != nullptr) {
    return MakeError(ErrorCode::kConflict, fmt::format("repository {} exists", path));
  }
  repo.former_paths.push_back(repo.Path());
  repo.owner = path.substr(0, slash);
  repo.name = path.substr(slash + 1);
  return Ok();
}

Issue* World::FindIssue(Repo& repo, std::int64_t number) {
  const auto it = repo.issues.find(number);
  return it == repo.issues.end() ? nullptr : &it->second;
}

Pull* World::FindPull(Repo& repo, std::int64_t number) {
  const auto it = repo.pulls.find(number);
  return it == repo.pulls.end() ? nullptr : &it->second;
}

Issue* World::FindEither(Repo& repo, std::int64_t number) {
  Issue* issue = FindIssue(repo, number);
  return issue != nullptr ? issue : FindPull(repo, number);
}

World::NoteAt World::FindNote(Repo& repo, Id id) {
  const auto in = [id](Issue& issue) -> Note* {
    const auto it = std::find_if(issue.notes.begin(), issue.notes.end(),
                                 [id](const Note& note) { return note.id == id; });
    return it == issue.notes.end() ? nullptr : &*it;
  };
  for (auto& [number, issue] : repo.issues) {
    if (Note* note = in(issue)) return {&issue, note, false};
  }
  for (auto& [number, pull] : repo.pulls) {
    if (Note* note = in(pull)) return {&pull, note, true};
  }
  return {};
}

World::DiffNoteAt World::FindDiffNote(Repo& repo, Id id) {
  for (auto& [number, pull] : repo.pulls) {
    for (Discussion& discussion : pull.discussions) {
      for (DiffNote& note : discussion.notes) {
        if (note.id == id) return {&pull, &discussion, &note};
      }
    }
  }
  return {};
}

World::DiffNoteAt World::FindDiscussion(Repo& repo, std::string_view id) {
  for (auto& [number, pull] : repo.pulls) {
    for (Discussion& discussion : pull.discussions) {
      if (discussion.id == id) return {&pull, &discussion, &discussion.notes.front()};
    }
  }
  return {};
}

Hook* World::FindHook(Repo& repo, Id id) {
  for (Hook& hook : repo.hooks) {
    if (hook.id == id) return &hook;
  }
  return nullptr;
}

Role World::RoleOf(const Repo& repo, const User* user) const {
  if (user != nullptr) {
    const auto it = repo.members.find(user->id);
    if (it != repo.members.end()) return it->second;
    if (apps_.app && apps_.app->bot == user->id && apps_.Covers(repo)) return Role::kWrite;
  }
  return repo.is_private ? Role::kNone : Role::kRead;
}

// --- users and repositories ---

User& World::AddUser(std::string_view login, bool is_bot, std::string_view token) {
  auto user = std::make_unique<User>();
  user->id = NextId();
  user->login = login;
  user->name = login;
  user->token = token;
  user->is_bot = is_bot;
  user->created_at = Now();
  users_.push_back(std::move(user));
  return *users_.back();
}

Result<Repo*> World::NewRepo(std::string_view path) {
  if (!IsRepoPath(path)) {
    return MakeError(ErrorCode::kInvalid, fmt::format("'{}' is no repository path", path));
  }
  if (FindRepo(path) != nullptr) {
    return MakeError(ErrorCode::kConflict, fmt::format("repository {} exists", path));
  }
  const std::size_t slash = path.rfind('/');
  auto repo = std::make_unique<Repo>();
  repo->id = NextId();
  repo->owner = path.substr(0, slash);
  repo->name = path.substr(slash + 1);
  repo->git_dir = GitRoot() / (std::string(path) + ".git");
  repo->created_at = repo->pushed_at = Now();
  SWAGE_RETURN_IF_ERROR(InitBare(repo->git_dir, kFirstBranch));
  // A group (GitLab) is no user, but something has to own the repository in every reply.
  User* owner = FindUser(repo->owner);
  if (owner == nullptr) owner = &AddUser(repo->owner, false, RandomHex(20));
  repo->members[owner->id] = Role::kAdmin;
  repos_.push_back(std::move(repo));
  return repos_.back().get();
}

Result<Repo*> World::AddRepoFromFiles(std::string_view path,
                                      const std::map<std::string, std::string>& files) {
  SWAGE_ASSIGN_OR_RETURN(Repo* const repo, NewRepo(path));
  const User& owner = *FindUser(repo->owner);
  SWAGE_RETURN_IF_ERROR(
      CommitFiles(repo->git_dir, kFirstBranch, files, "Initial commit", PersonOf(owner, Now())));
  return repo;
}

Result<Repo*> World::AddRepoFromGit(std::string_view path, const std::filesystem::path& source) {
  // The source may belong to another account than the one that runs the forge; it is only read.
  const std::filesystem::path home = data_dir_ / "home";
  SWAGE_RETURN_IF_ERROR(MakeDirs(home));
  SWAGE_RETURN_IF_ERROR(WriteFileAtomic(home / ".gitconfig", "[safe]\n\tdirectory = *\n"));
  const std::vector<std::string> env = GitEnvironment(home);
  const std::string from = std::filesystem::absolute(source).string();
  const auto ask = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"git", "-C", from});
    return RunCommand({std::move(arguments), env, -1, true});
  };
  const Result<std::string> shallow = ask({"rev-parse", "--is-shallow-repository"});
  if (!shallow.ok()) {
    return MakeError(ErrorCode::kInvalid, fmt::format("{} is no git repository", from));
  }
  if (Trim(*shallow) == "true") {
    return MakeError(ErrorCode::kInvalid,
                     fmt::format("{} is a shallow clone: run 'git fetch --unshallow' there", from));
  }
  const Result<std::string> branch = ask({"symbolic-ref", "--quiet", "--short", "HEAD"});
  SWAGE_ASSIGN_OR_RETURN(Repo* const repo, NewRepo(path));
  SWAGE_RETURN_IF_ERROR(
      RunCommand({Git(repo->git_dir, {"fetch", "--quiet", from, "+refs/heads/*:refs/heads/*",
                                      "+refs/tags/*:refs/tags/*"}),
                  env, -1, true}));
  if (branch.ok()) {
    repo->default_branch = Trim(*branch);
  } else {  // a detached HEAD still has to be somebody's branch here
    SWAGE_RETURN_IF_ERROR(RunCommand(
        {Git(repo->git_dir, {"fetch", "--quiet", from, "+HEAD:refs/heads/main"}), env, -1, true}));
  }
  SWAGE_RETURN_IF_ERROR(RunCommand(
      {Git(repo->git_dir, {"symbolic-ref", "HEAD", "refs/heads/" + repo->default_branch}), env, -1,
       true}));
  return repo;
}

Label& World::EnsureLabel(Repo& repo, std::string_view name, std::string_view color,
                          std::string_view description) {
  for (Label& label : repo.labels) {
    if (EqualsIgnoreCase(label.name, name)) return label;
  }
  repo.labels.push_back(
      {NextId(), std::string(name), std::string(color), std::string(description)});
  return repo.labels.back();
}

Hook& World::AddHook(Repo& repo, const User& actor, Hook hook) {
  hook.id = NextId();
  hook.created_at = hook.updated_at = Now();
  repo.hooks.push_back(std::move(hook));
  Event ping;
  ping.what = Happening::kPing;
  ping.repo = repo.id;
  ping.actor = actor.id;
  ping.hook = repo.hooks.back().id;
  Raise(ping);
  return repo.hooks.back();
}

Status& World::AddStatus(Repo& repo, const User& actor, Status status) {
  status.id = NextId();
  status.creator = actor.id;
  status.created_at = status.updated_at = Now();
  repo.statuses.push_back(std::move(status));
  Event event;
  event.what = Happening::kStatus;
  event.repo = repo.id;
  event.actor = actor.id;
  event.status = repo.statuses.back().id;
  Raise(event);
  return repo.statuses.back();
}

void World::LogRequest(LoggedRequest request) {
  log_.push_back(std::move(request));
  if (log_.size() > kMaxLogged) log_.pop_front();
}

}  // namespace swage::sandbox
