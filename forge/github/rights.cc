// What an App must be granted, compared with what it was: on its own page, and by each account that
// installed it (who have to accept what was added later).
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/github/api.h"
#include "forge/github/app_rights.h"

namespace swage::github {
namespace {

using nlohmann::json;

void JudgeApp(const json& app, std::vector<std::string>& gaps) {
  const std::string name = JsonString(app, "slug");
  const auto permissions = MissingPermissions(JsonAt(app, "permissions"));
  if (!permissions.empty()) {
    gaps.push_back(fmt::format(
        "the App {} lacks permissions: {}. Add them on the App's page, Permissions & events, and "
        "have each installation accept them.",
        name, Join(permissions, "; ")));
  }
  const auto events = MissingEvents(JsonAt(app, "events"));
  if (!events.empty()) {
    gaps.push_back(fmt::format(
        "the App {} is not told of: {}. Subscribe to these events on the App's page, Permissions & "
        "events.",
        name, Join(events, "; ")));
  }
}

void JudgeInstallation(const json& installation, std::vector<std::string>& gaps) {
  const std::string account = JsonString(installation, "account/login");
  const std::string page = JsonString(installation, "html_url");
  const std::string where = page.empty() ? "" : fmt::format(" ({})", page);
  if (!JsonString(installation, "suspended_at").empty()) {
    gaps.push_back(fmt::format(
        "the installation of {} is suspended; an owner lifts that in the account's settings{}.",
        account, where));
    return;
  }
  const auto permissions = MissingPermissions(JsonAt(installation, "permissions"));
  if (permissions.empty()) return;
  gaps.push_back(
      fmt::format("the installation of {} does not grant: {}. An owner accepts the App's new "
                  "permissions in the account's settings{}.",
                  account, Join(permissions, "; "), where));
}

}  // namespace

Result<std::vector<std::string>> FindMissingRights(Api& api) {
  std::vector<std::string> gaps;
  if (api.app() == nullptr) return gaps;
  SWAGE_ASSIGN_OR_RETURN(const json app, api.app()->AskAsApp(api.rest(), {"GET", "/app", ""}));
  JudgeApp(app, gaps);
  std::size_t installations = 0;
  SWAGE_RETURN_IF_ERROR(api.app()->ForEachInstallation(api.rest(), [&](const json& installation) {
    JudgeInstallation(installation, gaps);
    ++installations;
  }));
  if (installations == 0) {
    gaps.push_back("nobody has installed the App; do so on the App's page, Install App.");
  }
  return gaps;
}

}  // namespace swage::github
