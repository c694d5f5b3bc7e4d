// Requests, replies and routes, free of any HTTP library so that dialects stay plain functions.
//
// Plain data; the Router is filled before the server starts and only read afterwards.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "forge/forge.h"

namespace swage::sandbox {

struct Request {
  std::string method;
  std::string target;  ///< path and query, still percent-encoded
  std::string path;    ///< the path of `target`, still percent-encoded
  std::vector<std::pair<std::string, std::string>> query;  ///< decoded, in order
  HeaderMap headers;                                       ///< names in lower case
  std::string body;  ///< inflated when the client sent it compressed

  std::string Header(std::string_view lower_name) const;
  /// The first value of the query parameter; empty when absent.
  std::string Query(std::string_view name) const;
  bool HasQuery(std::string_view name) const;
};

struct Reply {
  int status = 200;
  std::string content_type = "application/json; charset=utf-8";
  std::map<std::string, std::string> headers;
  std::string body;

  static Reply Json(int status, const nlohmann::json& value);
  static Reply Empty(int status);
  static Reply Text(int status, std::string_view content_type, std::string body);
};

/// "a=1&b=x%20y" (a query or a form body), decoded, in order.
std::vector<std::pair<std::string, std::string>> ParseForm(std::string_view text);

class World;
struct User;

/// What a handler gets. Valid for the call only; the world's lock is held throughout.
struct Call {
  const Request& request;
  const std::map<std::string, std::string>& params;  ///< decoded values of the pattern's {names}
  const nlohmann::json& body;  ///< the parsed JSON or form body; null when there is none
  World& world;
  User* actor;       ///< nullptr = anonymous
  std::string base;  ///< "http://127.0.0.1:PORT", for URLs in replies

  const std::string& Param(const std::string& name) const { return params.at(name); }
  /// As a number; 0 when it is none.
  std::int64_t Number(const std::string& name) const;
};

using Handler = std::function<Reply(const Call&)>;

/// Patterns are '/'-separated: literals, {name} for one segment, {name*} for the rest (at least one
/// segment). Segments are compared after percent-decoding one by one, so "group%2Fname" is one
/// segment.
class Router {
 public:
  struct Match {
    const Handler* handler = nullptr;
    std::map<std::string, std::string> params;
    bool path_known = false;  ///< some other method would have matched
  };
  /// The first route that matches in order of addition wins.
  void Add(std::string method, std::string_view pattern, Handler handler);
  Match Find(std::string_view method, std::string_view encoded_path) const;

 private:
  struct Route {
    std::string method;
    std::vector<std::string> segments;
    Handler handler;
  };
  std::vector<Route> routes_;
};

}  // namespace swage::sandbox
