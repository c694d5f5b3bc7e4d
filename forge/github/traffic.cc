#include "forge/github/traffic.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "config/base/text.h"
#include "forge/github/app_transport.h"

namespace swage::github {
namespace {

// Nobody is told of these.
constexpr std::string_view kQuiet[] = {"/statuses/", "/check-runs", "/reactions", "/graphql"};

bool MakesContent(const HttpRequest& request) {
  return request.Writes() && std::ranges::none_of(kQuiet, [&](std::string_view part) {
           return request.path.find(part) != std::string::npos;
         });
}

}  // namespace

Traffic AccountTraffic(const HttpRequest& request) {
  return {.writes = request.Writes(), .makes_content = MakesContent(request)};
}

Traffic AppTraffic(const HttpRequest& request) {
  Traffic traffic = AccountTraffic(request);
  const std::string repo = request.repo.empty() ? RepoOfPath(request.path) : request.repo;
  traffic.account = ToLower(repo.substr(0, repo.find('/')));
  return traffic;
}

}  // namespace swage::github
