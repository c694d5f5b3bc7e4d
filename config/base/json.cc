#include "config/base/json.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "config/base/text.h"

namespace swage {

using nlohmann::json;

Result<json> ParseJson(std::string_view text) {
  bool too_deep = false;
  const auto guard = [&](int depth, json::parse_event_t event, json&) {
    const bool opens =
        event == json::parse_event_t::object_start || event == json::parse_event_t::array_start;
    if (opens && depth >= kMaxJsonDepth) too_deep = true;
    return !too_deep;  // false discards the value, so nothing deep is ever built
  };
  try {
    json value = json::parse(text.begin(), text.end(), guard);
    if (too_deep) {
      return MakeError(ErrorCode::kTooLarge,
                       fmt::format("JSON is nested deeper than {} levels", kMaxJsonDepth));
    }
    return value;
  } catch (const json::parse_error& e) {
    if (too_deep) {
      return MakeError(ErrorCode::kTooLarge,
                       fmt::format("JSON is nested deeper than {} levels", kMaxJsonDepth));
    }
    return MakeError(ErrorCode::kInvalid, fmt::format("not JSON (at byte {})", e.byte));
  } catch (const json::exception& e) {
    return MakeError(ErrorCode::kInvalid, "not usable JSON");
  }
}

std::string DumpJson(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

const json& JsonAt(const json& value, std::string_view path) {
  static const json kNull;
  const json* at = &value;
  for (std::string_view name : Split(path, '/')) {
    if (!at->is_object()) return kNull;
    const auto it = at->find(std::string(name));
    if (it == at->end()) return kNull;
    at = &*it;
  }
  return *at;
}

std::string JsonString(const json& value, std::string_view path, std::string_view fallback) {
  const json& at = JsonAt(value, path);
  return at.is_string() ? at.get<std::string>() : std::string(fallback);
}

std::int64_t JsonInt(const json& value, std::string_view path, std::int64_t fallback) {
  const json& at = JsonAt(value, path);
  if (at.is_number_unsigned() && at.get<std::uint64_t>() > INT64_MAX) return fallback;
  return at.is_number_integer() ? at.get<std::int64_t>() : fallback;
}

bool JsonBool(const json& value, std::string_view path, bool fallback) {
  const json& at = JsonAt(value, path);
  return at.is_boolean() ? at.get<bool>() : fallback;
}

WallTime JsonTime(const json& value, std::string_view path) {
  return ParseUtc(JsonString(value, path)).value_or(WallTime{});
}

std::string JsonId(const json& value, std::string_view path) {
  const json& at = JsonAt(value, path);
  if (at.is_string()) return at.get<std::string>();
  if (at.is_number_unsigned()) return std::to_string(at.get<std::uint64_t>());
  if (at.is_number_integer()) return std::to_string(at.get<std::int64_t>());
  return {};
}

}  // namespace swage
