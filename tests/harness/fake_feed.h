// FakeFeed: what a forge would tell if asked, in the hands of a test. Records every call; fails
// when told to. Not thread-safe.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "forge/feed.h"

namespace swage {

class FakeFeed final : public ForgeFeed {
 public:
  // --- what it tells
  std::optional<WallTime> time;  ///< none: it does not say
  std::vector<Repo> repos;
  std::vector<std::string> labels;
  std::vector<Issue> labelled;                          ///< filtered by the label that is asked for
  std::vector<ThreadChange> changes;                    ///< those at or after `since` are told
  std::vector<FoundComment> comments;                   ///< likewise
  std::map<std::int64_t, std::vector<ThreadAct>> acts;  ///< by number
  std::map<std::int64_t, std::vector<Review>> reviews;  ///< by number
  bool keeps_deliveries = false;
  std::vector<Hook> hooks;
  std::vector<HookDelivery> deliveries;        ///< newest first
  std::map<std::int64_t, std::string> bodies;  ///< by delivery
  std::string etag;                            ///< of the next ListChanges
  // --- what happened
  std::vector<std::string> calls;
  /// By name of the call, until it is taken away; "ListChanges PATH" for one repository,
  /// "ListComments NUMBER" for one thread.
  std::map<std::string, Error> failures;

  int Calls(std::string_view name) const {
    return static_cast<int>(std::count(calls.begin(), calls.end(), name));
  }

  Result<WallTime> GetTime(const RepoRef&) override {
    if (time) return *time;
    return MakeError(ErrorCode::kInvalid, "it does not say");
  }
  Result<std::vector<Repo>> ListRepos() override { return Tell("ListRepos", repos); }
  Result<std::vector<std::string>> ListLabels(const RepoRef&) override {
    return Tell("ListLabels", labels);
  }
  Result<std::vector<Issue>> ListLabelled(const RepoRef&, std::string_view label) override {
    std::vector<Issue> some = labelled;
    std::erase_if(some, [&](const Issue& issue) {
      return std::find(issue.labels.begin(), issue.labels.end(), label) == issue.labels.end();
    });
    return Tell("ListLabelled", std::move(some));
  }
  Result<ChangePage> ListChanges(const RepoRef& repo, WallTime since,
                                 std::string_view known) override {
    ChangePage page;
    page.etag = etag;
    page.now = time;
    page.unchanged = !known.empty() && known == etag;
    for (const ThreadChange& change : changes) {
      if (page.unchanged || change.updated < since) continue;
      page.changes.push_back(change);
      page.up_to = change.updated;
    }
    Result<ChangePage> told = Tell("ListChanges", std::move(page));
    const auto failure = failures.find("ListChanges " + repo.path);
    return failure == failures.end() ? std::move(told) : failure->second;
  }
  Result<CommentPage> ListComments(const RepoRef&, WallTime since,
                                   const std::vector<ThreadChange>& changed) override {
    for (const ThreadChange& change : changed) {
      const auto failure = failures.find("ListComments " + std::to_string(change.thread.number));
      if (failure != failures.end()) return failure->second;
    }
    CommentPage page;
    for (const FoundComment& found : comments) {
      if (found.created < since) continue;
      page.comments.push_back(found);
      page.up_to = found.created;
    }
    return Tell("ListComments", std::move(page));
  }
  Result<std::vector<Review>> ListReviews(const RepoRef&, std::int64_t number) override {
    return Tell("ListReviews", reviews[number]);
  }
  Result<std::vector<ThreadAct>> ListActs(const RepoRef&, const Thread& thread) override {
    return Tell("ListActs", acts[thread.number]);
  }
  bool KeepsDeliveries() const override { return keeps_deliveries; }
  Result<std::vector<Hook>> ListHooks(const RepoRef&) override { return Tell("ListHooks", hooks); }
  Result<std::vector<HookDelivery>> ListDeliveries(const RepoRef&, std::int64_t,
                                                   std::int64_t after) override {
    std::vector<HookDelivery> some = deliveries;
    std::erase_if(some, [&](const HookDelivery& d) { return d.id <= after; });
    return Tell("ListDeliveries", std::move(some));
  }
  Result<std::string> GetDeliveryBody(const RepoRef&, std::int64_t, std::int64_t id) override {
    return Tell("GetDeliveryBody", bodies[id]);
  }

 private:
  template <class T>
  Result<T> Tell(const std::string& name, T answer) {
    calls.push_back(name);
    const auto failure = failures.find(name);
    if (failure != failures.end()) return failure->second;
    return answer;
  }
};

}  // namespace swage
