// One HTTP request and one answer, as plain data.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace swage {

class WebAnswer;  // http_server.h

struct WebRequest {
  std::string method;
  std::string path;   ///< as sent, before '?': not decoded
  std::string query;  ///< as sent, after '?'
  bool keep_alive = true;
  /// Names in lower case; a repeated header is joined by '\n', which no value can hold.
  std::map<std::string, std::string> headers;
  std::string body;
  std::string remote_address;  ///< of the socket, never taken from a header

  /// The header's value, or "" when it is absent. `name` in lower case.
  std::string_view Header(const std::string& name) const;
};

struct WebResponse {
  int status = 200;
  std::string body;
  std::string content_type = "text/plain; charset=utf-8";
  std::vector<std::pair<std::string, std::string>> headers;
  /// When set, the body has no end known in advance: called again and again, it appends what is new
  /// (maybe nothing) and says whether there will be more. The connection closes after it.
  std::function<bool(std::string& out)> stream;
  /// When set, the answer is not known yet: called once, at once, with the place where it goes. No
  /// thread waits for it meanwhile.
  std::function<void(WebAnswer)> later;
};

/// `text` as the plain body.
WebResponse TextResponse(int status, std::string text);

/// The head of an answer, to its empty line. `body_size` is ignored for a stream.
std::string FormatHead(const WebResponse& response, std::size_t body_size, bool keep_alive);

}  // namespace swage
