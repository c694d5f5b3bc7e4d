#include "forge/github/app_rights.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "config/base/json.h"

namespace swage::github {
namespace {

using nlohmann::json;

constexpr std::string_view kRead = "read";
constexpr std::string_view kWrite = "write";

struct Right {
  std::string_view name;
  std::string_view title;  // on GitHub's pages
  std::string_view look;
  std::string_view api;
  std::string_view fetch;
  std::string_view push;
  std::string_view app;  // all of them together
};
// The API writes no contents: what is committed goes by git, past the checks before a push.
constexpr std::array kRights = {
    Right{"metadata", "Metadata", kRead, kRead, kRead, kRead, kRead},
    Right{"contents", "Contents", "", kRead, kRead, kWrite, kWrite},
    Right{"issues", "Issues", "", kWrite, "", "", kWrite},
    Right{"pull_requests", "Pull requests", "", kWrite, "", "", kWrite},
    Right{"checks", "Checks", "", kWrite, "", "", kWrite},
};

struct EventName {
  std::string_view name;
  std::string_view title;
};
// Re-runs of checks and changes of installations come without being subscribed to.
constexpr std::array kEvents = {
    EventName{"issues", "Issues"},
    EventName{"issue_comment", "Issue comment"},
    EventName{"pull_request", "Pull request"},
    EventName{"pull_request_review", "Pull request review"},
    EventName{"pull_request_review_comment", "Pull request review comment"},
};

std::string_view LevelOf(const Right& right, AppScope scope) {
  switch (scope) {
    case AppScope::kLook:
      return right.look;
    case AppScope::kApi:
      return right.api;
    case AppScope::kFetch:
      return right.fetch;
    case AppScope::kPush:
      return right.push;
  }
  return "";
}

}  // namespace

json PermissionsOf(AppScope scope) {
  json permissions = json::object();
  for (const Right& right : kRights) {
    const std::string_view level = LevelOf(right, scope);
    if (!level.empty()) permissions[std::string(right.name)] = level;
  }
  return permissions;
}

std::vector<std::string> MissingPermissions(const json& granted) {
  std::vector<std::string> missing;
  for (const Right& right : kRights) {
    const std::string level = JsonString(granted, std::string(right.name));
    const bool enough = level == right.app || level == kWrite || level == "admin";
    if (enough) continue;
    missing.push_back(
        fmt::format("{}: {}", right.title, right.app == kWrite ? "read and write" : "read-only"));
  }
  return missing;
}

std::vector<std::string> MissingEvents(const json& subscribed) {
  std::vector<std::string> missing;
  for (const EventName& event : kEvents) {
    const bool there =
        subscribed.is_array() && std::ranges::any_of(subscribed, [&](const json& name) {
          return name.is_string() && name.get_ref<const std::string&>() == event.name;
        });
    if (!there) missing.emplace_back(event.title);
  }
  return missing;
}

}  // namespace swage::github
