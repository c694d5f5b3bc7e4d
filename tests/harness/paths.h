// Where the tests find the checkout and the programs that were built from it. All absolute.
#pragma once

#include <filesystem>
#include <string_view>

namespace swage::test {

/// A file of the checkout; empty = its top.
std::filesystem::path SourcePath(std::string_view file = "");
/// Where the build is.
std::filesystem::path BuildPath();
/// A program of this build: swage, swage-supervise.
std::filesystem::path Program(std::string_view name);

}  // namespace swage::test
