// Gitea's JSON objects, as its own OpenAPI description (1.21) has them: every reply and every
// webhook is made of these. Needs the world's lock; the objects are copies.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "forge/sandbox/diff.h"
#include "forge/sandbox/git_repo.h"
#include "forge/sandbox/state.h"
#include "forge/sandbox/world.h"

namespace swage::sandbox::gitea {

/// The text of a review is a comment with an id of its own.
inline constexpr Id kReviewTextIds = 1'000'000;

class Objects {
 public:
  /// `base` is the URL of the server. Both outlive this.
  Objects(const World& world, const std::string& base) : world_(world), base_(base) {}

  nlohmann::json UserObject(Id user) const;
  nlohmann::json RepoObject(const Repo& repo, Role role) const;
  nlohmann::json LabelObject(const Repo& repo, const Label& label) const;
  nlohmann::json Labels(const Repo& repo, const Issue& issue) const;
  nlohmann::json IssueObject(const Repo& repo, const Issue& issue, const Pull* pull) const;
  nlohmann::json CommentObject(const Repo& repo, const Issue& issue, const Note& note,
                               bool on_pull) const;
  nlohmann::json ReactionObject(const Award& award) const;
  /// `mergeable`: whether the server has found it out yet.
  nlohmann::json PullObject(const Repo& repo, const Pull& pull, bool mergeable) const;
  nlohmann::json ReviewObject(const Repo& repo, const Pull& pull, const Review& review) const;
  nlohmann::json LineComment(const Repo& repo, const Pull& pull, const Discussion& discussion,
                             const DiffNote& note) const;
  nlohmann::json StatusObject(const Repo& repo, const Status& status) const;
  nlohmann::json HookObject(const Hook& hook) const;
  nlohmann::json PushCommit(const Repo& repo, const CommitInfo& commit) const;

  std::string RepoUrl(const Repo& repo) const;  ///< of the API
  std::string WebUrl(const Repo& repo) const;
  /// A label of this name, or nothing when it is gone.
  static const Label* FindLabel(const Repo& repo, std::string_view name);

 private:
  nlohmann::json Branch(const Repo& repo, std::string_view ref, std::string_view sha) const;
  std::string ThreadUrl(const Repo& repo, const Issue& issue, bool on_pull) const;

  const World& world_;
  const std::string& base_;
};

}  // namespace swage::sandbox::gitea
