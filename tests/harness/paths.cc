#include "tests/harness/paths.h"

namespace swage::test {

// The only file that is compiled anew for a checkout elsewhere.

std::filesystem::path SourcePath(std::string_view file) {
  return std::filesystem::path(SWAGE_SOURCE_DIR) / file;
}

std::filesystem::path BuildPath() {
  return SWAGE_BUILD_DIR;
}

std::filesystem::path Program(std::string_view name) {
  return BuildPath() / "bin" / name;
}

}  // namespace swage::test
