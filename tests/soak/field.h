// Field: what the soak goes over: four nodes as an operator would set them up on one PostgreSQL,
// and a forge with some repositories, one after the other of which gets an issue for the bot.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/harness/box.h"
#include "tests/harness/node_process.h"
#include "tests/harness/postgres_session.h"

namespace swage::soak {

struct Plan {
  sandbox::Dialect dialect = sandbox::Dialect::kGitHub;
  int tasks = 0;
  std::uint64_t seed = 0;
};

/// Somebody's branch in the bot's own name space, in every repository.
inline constexpr const char* kForeignBranch = "swage/999999-of-somebody-else";
/// The file that the task of an issue is about; it has to say 42 at the end.
std::string AnswerFile(std::int64_t issue);

class Field {
 public:
  explicit Field(const Plan& plan);

  void Start();  ///< all nodes
  void Stop();   ///< politely; their exit codes are expected to be 0
  /// From now on the forge fails one reply in ten, and loses or doubles one webhook in ten.
  void BeginFaults();
  void EndFaults();
  /// Opens an issue in the next repository and labels it.
  void OpenIssue();
  /// What somebody has to do now and then: GitLab turns hooks off whose receiver fails, and its
  /// operator turns them on again; the forge's log of requests, which nobody reads, grows.
  void Tend();

  test::Box& box() { return *box_; }
  std::vector<std::unique_ptr<test::NodeProcess>>& nodes() { return nodes_; }
  const std::vector<std::string>& repos() const { return repos_; }
  int opened() const { return opened_; }
  /// Rows joined by '\n', columns by '|'.
  std::string Query(const std::string& sql);
  std::int64_t Count(const std::string& sql);
  /// Its branches as they were before the first task, and their commits.
  const std::map<std::string, std::string>& refs_before(const std::string& repo) const {
    return refs_before_.at(repo);
  }
  /// Where the nodes put temporary files.
  std::filesystem::path temp_dir() const { return box_->dir() / "tmp"; }

 private:
  void MakeRepos();
  void MakeNodes();

  const Plan plan_;
  const std::string database_;
  test::PostgresSession session_;
  std::unique_ptr<test::Box> box_;
  std::vector<std::string> repos_;
  std::map<std::string, std::map<std::string, std::string>> refs_before_;
  std::vector<std::unique_ptr<test::NodeProcess>> nodes_;
  int opened_ = 0;
};

}  // namespace swage::soak
