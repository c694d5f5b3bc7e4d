#include <algorithm>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/sandbox/gitlab_api.h"

namespace swage::sandbox::gitlab {
namespace {

constexpr std::size_t kMaxParts = 200;

/// "boundary=..." of a multipart content type, without quotes; empty when it is another type.
std::string BoundaryOf(const Request& request) {
  const std::string type = request.Header("content-type");
  if (!ToLower(type).starts_with("multipart/form-data")) return "";
  const auto at = type.find("boundary=");
  if (at == std::string::npos) return "";
  std::string boundary = type.substr(at + 9);
  boundary = boundary.substr(0, boundary.find(';'));
  if (boundary.size() >= 2 && boundary.front() == '"')
    boundary = boundary.substr(1, boundary.size() - 2);
  return boundary;
}

/// The text between `before` and the next quote, in the headers of a part.
std::string QuotedAfter(std::string_view headers, std::string_view before) {
  const auto at = headers.find(before);
  if (at == std::string_view::npos) return "";
  const std::string_view rest = headers.substr(at + before.size());
  return std::string(rest.substr(0, rest.find('"')));
}

/// The text fields of a multipart form (RFC 7578); files are of no use here.
Json MultipartFields(std::string_view body, const std::string& boundary) {
  Json fields = Json::object();
  const std::string mark = "--" + boundary;
  std::size_t at = body.find(mark);
  for (std::size_t n = 0; n < kMaxParts && at != std::string_view::npos; ++n) {
    const std::size_t start = at + mark.size();
    const std::size_t end = body.find("\r\n" + mark, start);
    if (end == std::string_view::npos) break;
    const std::string_view part = body.substr(start, end - start);
    const std::size_t blank = part.find("\r\n\r\n");
    const std::string name = QuotedAfter(part.substr(0, blank), "name=\"");
    if (blank != std::string_view::npos && !name.empty()) {
      fields[name] = ToValidUtf8(part.substr(blank + 4));
    }
    at = end + 2;
  }
  return fields;
}

std::string TextOf(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_null() || value.is_object() || value.is_array()) return "";
  return DumpJson(value);
}

}  // namespace

Params::Params(const Call& call) : request_(call.request), body_(&call.body) {
  const std::string boundary = BoundaryOf(call.request);
  if (boundary.empty() || call.body.is_object()) return;
  multipart_ = MultipartFields(call.request.body, boundary);
  body_ = nullptr;
}

Json Params::Find(const std::string& name) const {
  const Json& body = Body();
  if (body.is_object()) {
    if (body.contains(name)) return body.at(name);
    const auto bracket = name.find('[');
    if (bracket != std::string::npos && name.back() == ']') {
      const Json& outer = JsonAt(body, name.substr(0, bracket));
      const std::string inner = name.substr(bracket + 1, name.size() - bracket - 2);
      if (outer.is_object() && outer.contains(inner)) return outer.at(inner);
    }
  }
  if (request_.HasQuery(name)) return request_.Query(name);
  return nullptr;
}

bool Params::Has(const std::string& name) const {
  return !Find(name).is_null();
}

std::string Params::Str(const std::string& name, std::string_view fallback) const {
  const Json value = Find(name);
  return value.is_null() ? std::string(fallback) : TextOf(value);
}

std::int64_t Params::Int(const std::string& name, std::int64_t fallback) const {
  return ParseInt(Str(name)).value_or(fallback);
}

bool Params::Bool(const std::string& name, bool fallback) const {
  const std::string text = ToLower(Str(name));
  if (text.empty()) return fallback;
  return text == "true" || text == "1" || text == "yes" || text == "on";
}

std::vector<std::string> Params::List(const std::string& name) const {
  std::vector<std::string> items;
  Json value = Find(name);
  if (value.is_null()) value = Find(name + "[]");
  if (value.is_array()) {
    for (const Json& item : value) items.push_back(TextOf(item));
  } else {
    const std::string text = TextOf(value);
    for (std::string_view item : Split(text, ',')) items.emplace_back(Trim(item));
  }
  std::erase(items, "");
  return items;
}

}  // namespace swage::sandbox::gitlab
