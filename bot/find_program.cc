#include "bot/find_program.h"

#include <unistd.h>

#include <cstdlib>

#include "config/base/text.h"

namespace swage {
namespace fs = std::filesystem;
namespace {

bool IsProgram(const fs::path& file) {
  std::error_code ignored;
  return fs::is_regular_file(file, ignored) && access(file.c_str(), X_OK) == 0;
}

}  // namespace

std::optional<fs::path> FindProgram(const std::string& name,
                                    const std::vector<std::string>& folders) {
  if (name.find('/') != std::string::npos) {
    return IsProgram(name) ? std::optional<fs::path>(name) : std::nullopt;
  }
  for (const std::string& folder : folders) {
    if (IsProgram(fs::path(folder) / name)) return fs::path(folder) / name;
  }
  return std::nullopt;
}

std::vector<std::string> FoldersOf(std::string_view path) {
  std::vector<std::string> folders;
  for (const std::string_view folder : Split(path, ':')) {
    if (folder.starts_with('/')) folders.emplace_back(folder);
  }
  return folders;
}

std::vector<std::string> OwnFolders() {
  const char* path = std::getenv("PATH");
  return FoldersOf(path == nullptr ? "" : path);
}

}  // namespace swage
