#include "bot/dashboard/api.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "config/base/crypto.h"
#include "config/base/files.h"
#include "config/base/json.h"
#include "config/base/text.h"
#include "config/faults.h"
#include "pipeline/manual_request.h"

namespace swage {
namespace {

using nlohmann::json;

constexpr std::string_view kTasksPath = "/api/v1/tasks";
constexpr std::string_view kTokenFile = "api-token";
constexpr std::size_t kTokenBytes = 32;
constexpr std::size_t kMaxTokenBytes = 256;

WebResponse Answer(int status, const json& body) {
  WebResponse response = TextResponse(status, DumpJson(body) + "\n");
  response.content_type = "application/json";
  return response;
}

WebResponse Refuse(int status, std::string_view why) {
  return Answer(status, {{"error", why}});
}

Result<ManualRequest> ReadRequest(std::string_view body, const std::vector<ForgeSettings>& forges) {
  SWAGE_ASSIGN_OR_RETURN(const json asked, ParseJson(body));
  if (!asked.is_object()) {
    return MakeError(ErrorCode::kInvalid, R"(the body is no JSON object; send {"issue": "URL"})");
  }
  for (const auto& [key, value] : asked.items()) {
    if (key != "issue" && key != "profile" && key != "actor") {
      return MakeError(ErrorCode::kInvalid,
                       fmt::format("unknown key {}; there are issue, profile and actor",
                                   Quoted(Truncate(StripControl(key), 60))));
    }
  }
  SWAGE_ASSIGN_OR_RETURN(ManualRequest request,
                         FindIssueByAddress(JsonString(asked, "issue"), forges));
  request.profile = JsonString(asked, "profile");
  request.actor = Truncate(StripControl(JsonString(asked, "actor", "API")), 60);
  return request;
}

}  // namespace

Result<std::string> ReadApiToken(const std::filesystem::path& data_dir) {
  SWAGE_ASSIGN_OR_RETURN(const std::string text, ReadFile(data_dir / kTokenFile, kMaxTokenBytes));
  return std::string(Trim(text));
}

Result<std::string> EnsureApiToken(const std::filesystem::path& data_dir) {
  Result<std::string> known = ReadApiToken(data_dir);
  if (known.ok() && !known->empty()) return known;
  const std::string token = RandomHex(kTokenBytes);
  SWAGE_RETURN_IF_ERROR(WriteFileAtomic(data_dir / kTokenFile, token + "\n", 0600));
  return token;
}

Api::Api(const Settings& settings, Store& store, std::function<void()> on_stored)
    : settings_(settings), store_(store), on_stored_(std::move(on_stored)) {}

Result<void> Api::Start() {
  SWAGE_ASSIGN_OR_RETURN(token_, EnsureApiToken(settings_.data_dir));
  return Ok();
}

bool Api::Answers(const WebRequest& head) {
  return head.path == kTasksPath;
}

std::optional<WebResponse> Api::Screen(const WebRequest& head) const {
  if (head.method != "POST") return Refuse(405, "POST only");
  const std::string expected = "Bearer " + token_;
  if (token_.empty() || !ConstantTimeEqual(head.Header("authorization"), expected)) {
    return Refuse(401, "show the token in DATA_DIR/api-token as `Authorization: Bearer TOKEN`");
  }
  if (!head.Header("content-type").starts_with("application/json")) {
    return Refuse(415, "send JSON, as application/json");
  }
  return std::nullopt;
}

WebResponse Api::Handle(const WebRequest& request) const {
  const auto asked = ReadRequest(request.body, settings_.forges);
  if (!asked.ok()) return Refuse(400, asked.error().message);
  const NewDelivery delivery = ToDelivery(*asked);
  const auto stored = store_.AddDelivery(delivery);
  if (!stored.ok()) return Refuse(503, "the database cannot be written; ask again");
  on_stored_();
  return Answer(202, {{"request", delivery.key},
                      {"forge", asked->forge},
                      {"repo", asked->repo},
                      {"issue", asked->issue}});
}

}  // namespace swage
