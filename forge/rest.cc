#include "forge/rest.h"

#include <fmt/format.h>

#include <thread>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/http_date.h"
#include "forge/rest_reply.h"

namespace swage {
namespace {

using nlohmann::json;

constexpr int kSettleAttempts = 3;
constexpr std::chrono::milliseconds kSettleWait{300};
constexpr std::size_t kMaxWords = 300;
constexpr int kMaxWordDepth = 4;

ErrorCode CodeOf(int status) {
  switch (status) {
    case 401:
      return ErrorCode::kUnauthenticated;
    case 403:
    case 451:
      return ErrorCode::kDenied;
    case 404:
    case 410:
      return ErrorCode::kNotFound;
    case 409:
      return ErrorCode::kConflict;
    case 413:
      return ErrorCode::kTooLarge;
    default:
      return ErrorCode::kInvalid;
  }
}

// Strings anywhere below `value`: forges nest their complaints differently.
void CollectWords(const json& value, int depth, std::string& words) {
  if (words.size() > kMaxWords || depth > kMaxWordDepth) return;
  if (value.is_string()) {
    if (!words.empty()) words += "; ";
    words += value.get<std::string>();
  } else if (value.is_structured()) {
    for (const json& item : value) CollectWords(item, depth + 1, words);
  }
}

}  // namespace

std::string RefusalText(const json& body) {
  std::string words;
  for (const char* name : {"message", "error", "error_description", "errors"}) {
    CollectWords(JsonAt(body, name), 0, words);
  }
  words = StripControl(ToValidUtf8(words));
  words = ReplaceAll(std::move(words), "\n", " ");
  return Truncate(words, kMaxWords);
}

Error StatusError(const HttpRequest& request, int status, const json& body) {
  const std::string path = request.path.substr(0, request.path.find('?'));
  const std::string words = RefusalText(body);
  return MakeError(CodeOf(status), fmt::format("{} {}: answered {}{}{}", request.method, path,
                                               status, words.empty() ? "" : ": ", words));
}

std::string EncodeSegments(std::string_view path) {
  std::vector<std::string> segments;
  for (const std::string_view segment : Split(path, '/'))
    segments.push_back(PercentEncode(segment));
  return Join(segments, "/");
}

RestClient::RestClient(std::unique_ptr<HttpTransport> transport, SleepFunction sleep, Paging paging)
    : transport_(std::move(transport)), sleep_(std::move(sleep)), paging_(paging) {}

void RestClient::Sleep(std::chrono::milliseconds time) const {
  if (sleep_) {
    sleep_(time);
  } else {
    std::this_thread::sleep_for(time);
  }
}

Result<RestClient::Reply> RestClient::Exchange(const HttpRequest& request) const {
  SWAGE_ASSIGN_OR_RETURN(const HttpResponse response, transport_->Send(request));
  const auto header = [&](const char* name) {
    const auto it = response.headers.find(name);
    return it == response.headers.end() ? std::string() : it->second;
  };
  Reply reply{response.status, nullptr, header("etag"), header("date"), header("link")};
  if (response.body.empty()) return reply;
  auto parsed = ParseJson(response.body);
  // Refusals may be HTML of a proxy in between; a success must be what was asked for.
  if (!parsed.ok() && reply.ok()) {
    return parsed.error().With(request.method + " " +
                               request.path.substr(0, request.path.find('?')));
  }
  if (parsed.ok()) reply.body = std::move(*parsed);
  return reply;
}

Result<json> RestClient::Get(std::string_view path) const {
  return Write("GET", path, nullptr);
}

Result<std::string> RestClient::GetText(std::string_view path) const {
  const HttpRequest request{"GET", std::string(path), "", false};
  SWAGE_ASSIGN_OR_RETURN(HttpResponse response, transport_->Send(request));
  if (response.status < 200 || response.status >= 300) {
    const auto refusal = ParseJson(response.body);
    return StatusError(request, response.status, refusal.ok() ? *refusal : json());
  }
  return std::move(response.body);
}

Result<json> RestClient::GetSettled(std::string_view path) const {
  for (int attempt = 1;; ++attempt) {
    auto result = Get(path);
    const bool absent = !result.ok() && result.error().code == ErrorCode::kNotFound;
    if (!absent || attempt == kSettleAttempts) return result;
    Sleep(kSettleWait * attempt);
  }
}

Result<json> RestClient::Write(std::string_view method, std::string_view path,
                               const json& body) const {
  const HttpRequest request{std::string(method), std::string(path),
                            body.is_null() ? "" : DumpJson(body), false};
  SWAGE_ASSIGN_OR_RETURN(Reply reply, Exchange(request));
  if (!reply.ok()) return StatusError(request, reply.status, reply.body);
  return std::move(reply.body);
}

Result<RestClient::Reply> RestClient::GetIfChanged(std::string_view path,
                                                   std::string_view etag) const {
  const HttpRequest request{"GET", std::string(path), "", false, std::string(etag)};
  SWAGE_ASSIGN_OR_RETURN(Reply reply, Exchange(request));
  const bool unchanged = reply.status == 304 && !etag.empty();
  if (!reply.ok() && !unchanged) return StatusError(request, reply.status, reply.body);
  return reply;
}

Result<WallTime> RestClient::GetTime(std::string_view path) const {
  const HttpRequest request{"GET", std::string(path), "", false};
  SWAGE_ASSIGN_OR_RETURN(const Reply reply, Exchange(request));
  if (!reply.ok()) return StatusError(request, reply.status, reply.body);
  const auto time = ParseHttpDate(reply.date);
  if (!time) return MakeError(ErrorCode::kInvalid, "the answer has no date");
  return *time;
}

Result<void> RestClient::ForEach(std::string_view path,
                                 const std::function<bool(const json&)>& visit) const {
  const char joint = path.find('?') == std::string_view::npos ? '?' : '&';
  for (int page = 1; page <= kMaxPages; ++page) {
    SWAGE_ASSIGN_OR_RETURN(
        const json items,
        Get(fmt::format("{}{}{}={}&page={}", path, joint, paging_.size_name, paging_.size, page)));
    if (!items.is_array()) {
      return MakeError(ErrorCode::kUnavailable, fmt::format("GET {}: no list", path));
    }
    for (const json& item : items) {
      if (!visit(item)) return Ok();
    }
    if (paging_.IsLast(items.size())) return Ok();
  }
  return MakeError(ErrorCode::kTooLarge,
                   fmt::format("GET {}: more than {} pages", path, kMaxPages));
}

}  // namespace swage
