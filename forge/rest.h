// RestClient: JSON over an HttpTransport, and what a status means in words that fit every forge.
//
// Blocking; thread-safe as far as its transport is.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "config/base/clock.h"
#include "config/base/result.h"
#include "forge/transport.h"

namespace swage {

/// How an adapter waits for a forge that needs a moment. Empty = the thread sleeps; tests record.
using SleepFunction = std::function<void(std::chrono::milliseconds)>;

/// How a forge hands out its lists.
struct Paging {
  std::string_view size_name = "per_page";
  int size = 100;
  /// A page may be shorter than asked for, though others follow: only an empty one is the end.
  bool until_empty = false;

  bool IsLast(std::size_t items) const {
    return items == 0 || (!until_empty && items < static_cast<std::size_t>(size));
  }
};

class RestClient {
 public:
  /// A list longer than this is an error, not a wrong answer.
  static constexpr int kMaxPages = 100;
  static constexpr int kPageSize = Paging{}.size;

  struct Reply;

  RestClient(std::unique_ptr<HttpTransport> transport, SleepFunction sleep, Paging paging = {});

  const Paging& paging() const { return paging_; }

  /// The JSON of a 2xx (null when it has no body). Errors: see StatusError.
  Result<nlohmann::json> Get(std::string_view path) const;
  /// The bytes of a 2xx. Errors: as Get.
  Result<std::string> GetText(std::string_view path) const;
  /// As Get; a 404 is asked for again: forges send events before their replicas know of them.
  Result<nlohmann::json> GetSettled(std::string_view path) const;
  Result<nlohmann::json> Write(std::string_view method, std::string_view path,
                               const nlohmann::json& body) const;

  /// Any status that is no failure of the transport, for callers that read refusals.
  Result<Reply> Exchange(const HttpRequest& request) const;

  /// As Get, unless nothing changed since the answer that carried `etag`: then status 304 and no
  /// body. Errors: as Get.
  Result<Reply> GetIfChanged(std::string_view path, std::string_view etag) const;

  /// When `path` was answered, by the server's clock. Errors: as Get; kInvalid when it does not
  /// say.
  Result<WallTime> GetTime(std::string_view path) const;

  /// Every item of a paged list, until `visit` answers false. Pages are counted, not linked: header
  /// values are not trusted with addresses.
  Result<void> ForEach(std::string_view path,
                       const std::function<bool(const nlohmann::json&)>& visit) const;

  void Sleep(std::chrono::milliseconds time) const;

 private:
  std::unique_ptr<HttpTransport> transport_;
  SleepFunction sleep_;
  Paging paging_;
};

/// kInvalid 400, 422 and the rest; kUnauthenticated 401; kDenied 403, 451; kNotFound 404, 410;
/// kConflict 409; kTooLarge 413. The message names call, status and the forge's own words, cut and
/// cleaned.
Error StatusError(const HttpRequest& request, int status, const nlohmann::json& body);

/// The forge's own words of a refusal: "message", "error" and the like, flattened to one line.
std::string RefusalText(const nlohmann::json& body);

/// "a/b c" -> "a/b%20c": each segment of a path encoded, the slashes kept.
std::string EncodeSegments(std::string_view path);

}  // namespace swage
