// SourceRules: what the tree's own text must keep to, beyond what a compiler checks.
//
// Pure functions over one file's text, so that each rule can be shown to fail; layering_test.cc
// runs them over the whole tree.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace swage::test {

/// The text without comments; strings, characters and line ends stay.
std::string WithoutComments(std::string_view text);

/// Includes point left only (config/base <- config <- forge <- pipeline <- bot <- tests), headers
/// include no heavy ones, forge names and SQL stay in their folders, time is read by Clock alone.
/// One line per breach: "path:line: why". `path` is relative to the root.
std::vector<std::string> Breaches(std::string_view path, std::string_view text);

/// The types that a file defines at namespace level, as "namespace::Name"; nothing of unnamed
/// namespaces.
std::vector<std::string> DefinedTypes(std::string_view text);

}  // namespace swage::test
