// Commits, statuses, check runs, hooks and their deliveries, as GitHub writes them.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/sandbox/github_json.h"
#include "forge/sandbox/github_objects.h"

namespace swage::sandbox {

using nlohmann::json;

json GitHubObjects::PersonObject(const Person& person) const {
  return {{"name", person.name}, {"email", person.email}, {"date", FormatUtc(person.at)}};
}

json GitHubObjects::CommitObject(const Repo& repo, const CommitInfo& commit) const {
  const std::string url = fmt::format("{}/commits/{}", RepoUrl(repo), commit.sha);
  const std::string web = fmt::format("{}/commit/{}", WebUrl(repo), commit.sha);
  json parents = json::array();
  for (const std::string& parent : commit.parents) {
    parents.push_back({{"sha", parent},
                       {"url", fmt::format("{}/commits/{}", RepoUrl(repo), parent)},
                       {"html_url", fmt::format("{}/commit/{}", WebUrl(repo), parent)}});
  }
  const json verification = {{"verified", false},
                             {"reason", "unsigned"},
                             {"payload", json()},
                             {"signature", json()},
                             {"verified_at", json()}};
  return {{"sha", commit.sha},
          {"node_id", "C_" + commit.sha},
          {"url", url},
          {"html_url", web},
          {"comments_url", url + "/comments"},
          {"author", json()},  // no account is matched to an address
          {"committer", json()},
          {"parents", parents},
          {"commit",
           {{"url", fmt::format("{}/git/commits/{}", RepoUrl(repo), commit.sha)},
            {"author", PersonObject(commit.author)},
            {"committer", PersonObject(commit.committer)},
            {"message", ToValidUtf8(commit.message)},
            {"comment_count", 0},
            {"tree",
             {{"sha", commit.tree},
              {"url", fmt::format("{}/git/trees/{}", RepoUrl(repo), commit.tree)}}},
            {"verification", verification}}}};
}

json GitHubObjects::StatusObject(const Repo& repo, const Status& status) const {
  return {{"id", status.id},
          {"node_id", NodeId("SC", status.id)},
          {"url", fmt::format("{}/statuses/{}", RepoUrl(repo), status.sha)},
          {"avatar_url", fmt::format("{}/avatars/u/{}", base_, status.creator)},
          {"state", status.state},
          {"description", OrNull(status.description)},
          {"target_url", OrNull(status.target_url)},
          {"context", status.context},
          {"created_at", FormatUtc(status.created_at)},
          {"updated_at", FormatUtc(status.updated_at)},
          {"creator", UserObject(status.creator)}};
}

json GitHubObjects::CheckRunObject(const Repo& repo, const CheckRun& run) const {
  const std::string url = fmt::format("{}/check-runs/{}", RepoUrl(repo), run.id);
  return {{"id", run.id},
          {"node_id", NodeId("CR", run.id)},
          {"name", run.name},
          {"head_sha", run.head_sha},
          {"external_id", run.external_id},
          {"url", url},
          {"html_url", fmt::format("{}/runs/{}", WebUrl(repo), run.id)},
          {"details_url", OrNull(run.details_url)},
          {"status", run.status},
          {"conclusion", OrNull(run.conclusion)},
          {"started_at", TimeOrNull(run.started_at)},
          {"completed_at", TimeOrNull(run.completed_at)},
          {"output",
           {{"title", OrNull(run.title)},
            {"summary", OrNull(run.summary)},
            {"text", OrNull(run.text)},
            {"annotations_count", run.annotations.size()},
            {"annotations_url", url + "/annotations"}}},
          {"check_suite", json()},
          {"app", json()},
          {"pull_requests", json::array()}};
}

json GitHubObjects::HookObject(const Repo& repo, const Hook& hook) const {
  const std::string url = fmt::format("{}/hooks/{}", RepoUrl(repo), hook.id);
  json config = {{"url", hook.url}, {"content_type", "json"}, {"insecure_ssl", "0"}};
  if (!hook.secret.empty()) config["secret"] = "********";
  json events = json::array();
  for (const std::string& event : hook.events) events.push_back(event);
  if (events.empty()) events.push_back("*");
  return {{"type", "Repository"},
          {"id", hook.id},
          {"name", "web"},
          {"active", hook.active},
          {"events", events},
          {"config", config},
          {"created_at", FormatUtc(hook.created_at)},
          {"updated_at", FormatUtc(hook.updated_at)},
          {"url", url},
          {"test_url", url + "/test"},
          {"ping_url", url + "/pings"},
          {"deliveries_url", url + "/deliveries"},
          {"last_response", {{"code", json()}, {"status", "unused"}, {"message", json()}}}};
}

json GitHubObjects::DeliveryItem(const Delivery& delivery) const {
  const bool fine = delivery.status >= 200 && delivery.status < 300;
  return {{"id", delivery.id},
          {"guid", delivery.guid},
          {"delivered_at", FormatUtc(delivery.delivered_at)},
          {"redelivery", delivery.redelivery},
          {"duration", static_cast<double>(delivery.duration_ms) / 1000.0},
          {"status", fine ? "OK"
                     : delivery.status == 0
                         ? "failed to connect to host"
                         : fmt::format("Invalid HTTP Response: {}", delivery.status)},
          {"status_code", delivery.status},
          {"event", delivery.event},
          {"action", OrNull(delivery.action)},
          {"installation_id", json()},
          {"repository_id", delivery.repo},
          {"throttled_at", json()}};
}

json GitHubObjects::DeliveryObject(const Delivery& delivery) const {
  json object = DeliveryItem(delivery);
  const Result<json> payload = ParseJson(delivery.payload);
  object["url"] = delivery.url;
  object["request"] = {{"headers", delivery.headers},
                       {"payload", payload.ok() ? *payload : json()}};
  object["response"] = {{"headers", json::object()}, {"payload", ToValidUtf8(delivery.response)}};
  return object;
}

}  // namespace swage::sandbox
