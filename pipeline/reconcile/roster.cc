#include "pipeline/reconcile/roster.h"

#include <fmt/format.h>

#include <algorithm>

#include "config/repo_allow.h"

namespace swage {
namespace {

bool IsGlob(std::string_view entry) {
  return entry.find_first_of("*?") != std::string_view::npos;
}

bool IsExclusion(std::string_view entry) {
  return entry.starts_with('!');
}

bool IsGone(ErrorCode code) {
  return code == ErrorCode::kNotFound || code == ErrorCode::kDenied || code == ErrorCode::kInvalid;
}

}  // namespace

Result<std::vector<RepoRef>> Roster::Of(Forge& forge, const ForgeSettings& settings) {
  Known& known = known_[forge.Name()];
  const MonotonicTime now = clock_.Monotonic();
  if (known.asked != MonotonicTime{} && now < known.asked + kFreshFor) return known.repos;
  const Result<std::vector<Repo>> asked = Ask(forge, settings);
  if (!asked.ok()) {
    // It may be one owner's limit, and the others' repositories are known.
    if (asked.error().code == ErrorCode::kRateLimited && !known.repos.empty()) return known.repos;
    return asked.error();
  }
  std::vector<RepoRef> repos;
  for (const Repo& repo : *asked) {
    SWAGE_RETURN_IF_ERROR(Follow(repo));
    if (!IsRepoAllowed(settings.repos, repo.ref.path)) {
      SayOnce("the repository has a new name that is not on the allow-list; add it", repo.ref);
    } else if (repo.archived) {
      SayOnce("the repository is archived and not polled", repo.ref);
    } else {
      repos.push_back(repo.ref);
    }
  }
  known = {now, std::move(repos)};
  return known.repos;
}

Result<std::vector<Repo>> Roster::Ask(Forge& forge, const ForgeSettings& settings) {
  std::map<std::string, Repo> by_id;
  bool globs = false;
  for (const std::string& entry : settings.repos) {
    if (IsExclusion(entry)) continue;
    if (IsGlob(entry)) {
      globs = true;
      continue;
    }
    Result<Repo> repo = forge.GetRepo(entry);
    if (repo.ok()) {
      const std::string id = repo->ref.id;
      by_id[id] = std::move(repo).value();
    } else if (IsGone(repo.error().code)) {
      SayOnce("the repository cannot be seen; is the name right, and may the token read it?",
              {forge.Name(), "", entry});
    } else {
      return repo.error();
    }
  }
  if (globs) {
    SWAGE_ASSIGN_OR_RETURN(std::vector<Repo> all, forge.Feed()->ListRepos());
    for (Repo& repo : all) {
      if (IsRepoAllowed(settings.repos, repo.ref.path)) by_id[repo.ref.id] = std::move(repo);
    }
  }
  std::vector<Repo> repos;
  for (auto& [id, repo] : by_id) repos.push_back(std::move(repo));
  return repos;
}

// The id is the key (T8); the path of its tasks is what people and git read.
Result<void> Roster::Follow(const Repo& repo) {
  std::string& path = paths_[repo.ref.forge + ":" + repo.ref.id];
  if (path == repo.ref.path) return Ok();
  SWAGE_RETURN_IF_ERROR(store_.RenameRepo(repo.ref));
  if (!path.empty()) {
    log_.Info("a repository was renamed",
              {{"forge", repo.ref.forge}, {"from", path}, {"to", repo.ref.path}});
  }
  path = repo.ref.path;
  return Ok();
}

void Roster::SayOnce(const std::string& what, const RepoRef& repo) {
  if (!said_.insert(fmt::format("{}:{}:{}", repo.forge, repo.path, what)).second) return;
  log_.Warn(what, {{"forge", repo.forge}, {"repo", repo.path}});
}

}  // namespace swage
