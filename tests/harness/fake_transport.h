// FakeTransport: a forge's server in a test's hand, request by request.
//
// Rules are tried in order; the first that matches the method and is found in the path, and has
// uses left, answers. What no rule matches fails the test and answers 404. Every request is
// recorded. NOT thread-safe.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "forge/transport.h"

namespace swage {

class FakeTransport final : public HttpTransport {
 public:
  struct Rule {
    std::string method;
    std::string path;  ///< searched for in path and query
    int status = 200;
    std::string body;
    int times = -1;              ///< uses left; negative = for ever
    std::optional<Error> error;  ///< instead of an answer
  };

  /// Newest first: a later rule overrides an earlier one of the same request.
  void On(std::string method, std::string path, int status, std::string body, int times = -1) {
    rules_.insert(rules_.begin(),
                  {std::move(method), std::move(path), status, std::move(body), times, {}});
  }
  void Fail(std::string method, std::string path, Error error, int times = 1) {
    rules_.insert(rules_.begin(),
                  {std::move(method), std::move(path), 0, "", times, std::move(error)});
  }

  Result<HttpResponse> Send(const HttpRequest& request) override {
    requests.push_back(request);
    for (Rule& rule : rules_) {
      const bool matches = rule.method == request.method && rule.times != 0 &&
                           request.path.find(rule.path) != std::string::npos;
      if (!matches) continue;
      if (rule.times > 0) --rule.times;
      if (rule.error) return *rule.error;
      return HttpResponse{rule.status, headers, rule.body};
    }
    ADD_FAILURE() << "unexpected " << request.method << " " << request.path;
    return HttpResponse{404, {}, ""};
  }

  /// The requests of a method whose path holds `path`.
  std::vector<HttpRequest> Sent(std::string_view method, std::string_view path = "") const {
    std::vector<HttpRequest> found;
    for (const HttpRequest& request : requests) {
      if (request.method == method && request.path.find(path) != std::string::npos) {
        found.push_back(request);
      }
    }
    return found;
  }

  std::map<std::string, std::string> headers;  ///< of every answer of a rule
  std::vector<HttpRequest> requests;

 private:
  std::vector<Rule> rules_;
};

}  // namespace swage
