// GitHub's JSON objects, complete enough for its own OpenAPI description: every reply and every
// webhook is made of these. Needs the world's lock; the objects are copies.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "forge/sandbox/diff.h"
#include "forge/sandbox/git_repo.h"
#include "forge/sandbox/state.h"
#include "forge/sandbox/world.h"

namespace swage::sandbox {

class GitHubObjects {
 public:
  /// `base` is the URL of the server. Both outlive this.
  GitHubObjects(const World& world, const std::string& base) : world_(world), base_(base) {}

  nlohmann::json UserObject(Id user) const;         ///< simple-user
  nlohmann::json FullUser(const User& user) const;  ///< public-user
  nlohmann::json RepoObject(const Repo& repo) const;
  nlohmann::json FullRepo(const Repo& repo, Role role) const;
  nlohmann::json LabelObject(const Repo& repo, const Label& label) const;
  nlohmann::json LabelNamed(const Repo& repo, std::string_view name) const;
  nlohmann::json Labels(const Repo& repo, const Issue& issue) const;
  nlohmann::json IssueObject(const Repo& repo, const Issue& issue, bool is_pull) const;
  nlohmann::json CommentObject(const Repo& repo, const Issue& issue, const Note& note,
                               bool on_pull) const;
  nlohmann::json ReactionObject(const Award& award) const;
  nlohmann::json PullSimple(const Repo& repo, const Pull& pull) const;
  nlohmann::json PullObject(const Repo& repo, const Pull& pull) const;  ///< computes diff and merge
  nlohmann::json ReviewObject(const Repo& repo, const Pull& pull, const Review& review) const;
  nlohmann::json ReviewComment(const Repo& repo, const Pull& pull, const Discussion& discussion,
                               const DiffNote& note) const;
  nlohmann::json FileObject(const Repo& repo, const FileDiff& file, std::string_view sha) const;
  nlohmann::json CommitObject(const Repo& repo, const CommitInfo& commit) const;
  nlohmann::json StatusObject(const Repo& repo, const Status& status) const;
  nlohmann::json CheckRunObject(const Repo& repo, const CheckRun& run) const;
  nlohmann::json HookObject(const Repo& repo, const Hook& hook) const;
  nlohmann::json DeliveryItem(const Delivery& delivery) const;
  nlohmann::json DeliveryObject(const Delivery& delivery) const;

  std::string RepoUrl(const Repo& repo) const;  ///< of the API
  std::string WebUrl(const Repo& repo) const;
  static std::string NodeId(std::string_view kind, Id id);
  static std::string ThreadNodeId(const Discussion& discussion);
  /// "admin", "maintain", "write", "triage", "read", "none".
  static std::string_view RoleName(Role role);
  std::string_view Association(const Repo& repo, Id user) const;

 private:
  nlohmann::json Rollup(const std::vector<Award>& awards, const std::string& url) const;
  nlohmann::json Branch(const Repo& repo, std::string_view ref, std::string_view sha) const;
  nlohmann::json PersonObject(const Person& person) const;

  const World& world_;
  const std::string& base_;
};

}  // namespace swage::sandbox
