#include "forge/sandbox/http.h"

#include <nlohmann/json.hpp>

#include "config/base/json.h"
#include "config/base/text.h"

namespace swage::sandbox {

std::string Request::Header(std::string_view lower_name) const {
  const auto it = headers.find(std::string(lower_name));
  return it == headers.end() ? "" : it->second;
}

std::string Request::Query(std::string_view name) const {
  for (const auto& [key, value] : query) {
    if (key == name) return value;
  }
  return {};
}

bool Request::HasQuery(std::string_view name) const {
  for (const auto& [key, value] : query) {
    if (key == name) return true;
  }
  return false;
}

Reply Reply::Json(int status, const nlohmann::json& value) {
  Reply reply;
  reply.status = status;
  reply.body = DumpJson(value);
  return reply;
}

Reply Reply::Empty(int status) {
  Reply reply;
  reply.status = status;
  reply.content_type.clear();
  return reply;
}

Reply Reply::Text(int status, std::string_view content_type, std::string body) {
  Reply reply;
  reply.status = status;
  reply.content_type = content_type;
  reply.body = std::move(body);
  return reply;
}

std::int64_t Call::Number(const std::string& name) const {
  return ParseInt(Param(name)).value_or(0);
}

std::vector<std::pair<std::string, std::string>> ParseForm(std::string_view text) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const std::string_view part : Split(text, '&')) {
    if (part.empty()) continue;
    const std::size_t equals = part.find('=');
    const auto decode = [](std::string_view encoded) {
      const std::string spaced = ReplaceAll(std::string(encoded), "+", "%20");
      return PercentDecode(spaced).value_or(std::string(encoded));
    };
    const std::string_view value =
        equals == std::string_view::npos ? std::string_view() : part.substr(equals + 1);
    pairs.emplace_back(decode(part.substr(0, equals)), decode(value));
  }
  return pairs;
}

void Router::Add(std::string method, std::string_view pattern, Handler handler) {
  Route route{std::move(method), {}, std::move(handler)};
  for (const std::string_view segment : Split(pattern.substr(1), '/')) {
    route.segments.emplace_back(segment);
  }
  routes_.push_back(std::move(route));
}

namespace {

bool IsName(std::string_view segment) {
  return segment.starts_with('{') && segment.ends_with('}');
}

/// Binds `segments` to the pattern; false when they do not fit.
bool Fits(const std::vector<std::string>& pattern, const std::vector<std::string>& segments,
          std::map<std::string, std::string>& params) {
  std::size_t i = 0;
  for (const std::string& part : pattern) {
    if (i >= segments.size()) return false;
    if (!IsName(part)) {
      if (part != segments[i++]) return false;
      continue;
    }
    if (part.ends_with("*}")) {
      std::string rest = segments[i];
      for (std::size_t k = i + 1; k < segments.size(); ++k) rest += "/" + segments[k];
      params[part.substr(1, part.size() - 3)] = rest;
      return !rest.empty();
    }
    if (segments[i].empty()) return false;
    params[part.substr(1, part.size() - 2)] = segments[i++];
  }
  return i == segments.size();
}

}  // namespace

Router::Match Router::Find(std::string_view method, std::string_view encoded_path) const {
  Match match;
  if (!encoded_path.starts_with('/')) return match;
  std::vector<std::string> segments;
  for (const std::string_view segment : Split(encoded_path.substr(1), '/')) {
    std::optional<std::string> decoded = PercentDecode(segment);
    if (!decoded.has_value()) return match;
    segments.push_back(*std::move(decoded));
  }
  for (const Route& route : routes_) {
    std::map<std::string, std::string> params;
    if (!Fits(route.segments, segments, params)) continue;
    match.path_known = true;
    if (route.method != method) continue;
    match.handler = &route.handler;
    match.params = std::move(params);
    return match;
  }
  return match;
}

}  // namespace swage::sandbox
