// Bounded, tolerant access to JSON that strangers wrote.
//
// nlohmann/json parses 100,000 nested brackets and then overflows the stack on copy; ParseJson
// refuses beyond kMaxJsonDepth while parsing (T11). The getters never throw: a missing field, a
// null or another type is the default.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "config/base/clock.h"
#include "config/base/result.h"

namespace swage {

inline constexpr int kMaxJsonDepth = 64;

/// Errors: kInvalid (with the byte position) for malformed text, kTooLarge for excessive depth.
Result<nlohmann::json> ParseJson(std::string_view text);

/// Compact text; bytes that are not UTF-8 become U+FFFD instead of an exception.
std::string DumpJson(const nlohmann::json& value);

/// `path` walks objects by '/'-separated names: "repository/owner/login".
const nlohmann::json& JsonAt(const nlohmann::json& value, std::string_view path);
std::string JsonString(const nlohmann::json& value, std::string_view path,
                       std::string_view fallback = "");
std::int64_t JsonInt(const nlohmann::json& value, std::string_view path, std::int64_t fallback = 0);
bool JsonBool(const nlohmann::json& value, std::string_view path, bool fallback = false);
/// As ParseUtc reads it; the epoch when it is no time.
WallTime JsonTime(const nlohmann::json& value, std::string_view path);
/// Numbers and strings alike, as text: forges differ in how they write ids.
std::string JsonId(const nlohmann::json& value, std::string_view path);

}  // namespace swage
