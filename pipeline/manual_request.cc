#include "pipeline/manual_request.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "config/base/crypto.h"
#include "config/base/json.h"
#include "config/base/text.h"
#include "config/rules.h"

namespace swage {
namespace {

constexpr std::string_view kRunEvent = "swage.run";
constexpr std::size_t kKeyBytes = 16;
constexpr std::size_t kMaxProfileBytes = 50;  // as of a label

Error NoIssue(std::string_view address) {
  return MakeError(ErrorCode::kInvalid,
                   fmt::format("{} is no issue of a forge in the settings; write its URL, or "
                               "FORGE/OWNER/NAME#NUMBER",
                               Quoted(Truncate(StripControl(address), 200))));
}

// "acme/lib/issues/12", "g/s/p/-/issues/12": what stands behind the forge's address.
bool ReadPath(std::string_view path, ManualRequest& out) {
  constexpr std::string_view kIssues = "/issues/";
  path = path.substr(0, path.find_first_of("?#"));
  const std::size_t at = path.find(kIssues);
  if (at == path.npos) return false;
  std::string_view number = path.substr(at + kIssues.size());
  if (number.ends_with('/')) number.remove_suffix(1);
  out.issue = ParseInt(number).value_or(0);
  std::string_view repo = path.substr(0, at);
  if (repo.ends_with("/-")) repo.remove_suffix(2);
  out.repo = repo;
  return out.issue > 0 && IsRepoPath(out.repo);
}

bool ReadUrl(std::string_view url, const ForgeSettings& forge, ManualRequest& out) {
  const std::string base = forge.git_url + "/";
  if (!url.starts_with(base) || !ReadPath(url.substr(base.size()), out)) return false;
  out.forge = forge.name;
  return true;
}

// "hub/acme/lib#12", "acme/lib#12".
bool ReadKey(std::string_view key, const std::vector<ForgeSettings>& forges, ManualRequest& out) {
  const std::size_t hash = key.rfind('#');
  if (hash == key.npos) return false;
  out.issue = ParseInt(key.substr(hash + 1)).value_or(0);
  const std::string_view path = key.substr(0, hash);
  for (const ForgeSettings& forge : forges) {
    const std::string start = forge.name + "/";
    if (path.starts_with(start) && IsRepoPath(path.substr(start.size()))) {
      out.forge = forge.name;
      out.repo = path.substr(start.size());
      return out.issue > 0;
    }
  }
  if (forges.size() != 1 || !IsRepoPath(path)) return false;
  out.forge = forges.front().name;
  out.repo = path;
  return out.issue > 0;
}

}  // namespace

Result<ManualRequest> FindIssueByAddress(std::string_view address,
                                         const std::vector<ForgeSettings>& forges) {
  ManualRequest found;
  for (const ForgeSettings& forge : forges) {
    if (ReadUrl(address, forge, found)) return found;
  }
  if (address.find("://") == address.npos && ReadKey(address, forges, found)) return found;
  return NoIssue(address);
}

bool IsManualRequest(std::string_view event) {
  return event == kRunEvent;
}

NewDelivery ToDelivery(const ManualRequest& request) {
  const nlohmann::json body = {{"repo", request.repo},
                               {"issue", request.issue},
                               {"actor", request.actor},
                               {"profile", request.profile}};
  return {request.forge, fmt::format("{}{}", kOwnEvents, RandomHex(kKeyBytes)),
          std::string(kRunEvent), DumpJson(body)};
}

Result<ManualRequest> ReadManualRequest(std::string_view forge, std::string_view body) {
  SWAGE_ASSIGN_OR_RETURN(const nlohmann::json json, ParseJson(body));
  ManualRequest request{std::string(forge), JsonString(json, "repo"), JsonInt(json, "issue"),
                        JsonString(json, "actor"), JsonString(json, "profile")};
  if (!IsRepoPath(request.repo) || request.issue <= 0 ||
      request.profile.size() > kMaxProfileBytes) {
    return MakeError(ErrorCode::kInvalid, "a request by hand without its issue");
  }
  return request;
}

}  // namespace swage
