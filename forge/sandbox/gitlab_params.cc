#include <algorithm>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/sandbox/gitlab_api.h"

namespace swage::sandbox::gitlab {
namespace {

std::string TextOf(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_null() || value.is_object() || value.is_array()) return "";
  return DumpJson(value);
}

}  // namespace

Params::Params(const Call& call) : request_(call.request), body_(call.body) {}

Json Params::Find(const std::string& name) const {
  if (body_.is_object()) {
    if (body_.contains(name)) return body_.at(name);
    const auto bracket = name.find('[');
    if (bracket != std::string::npos && name.back() == ']') {
      const Json& outer = JsonAt(body_, name.substr(0, bracket));
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
