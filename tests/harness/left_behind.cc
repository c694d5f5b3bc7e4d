#include "tests/harness/left_behind.h"

#include "config/base/files.h"
#include "config/base/text.h"

namespace swage::test {
namespace fs = std::filesystem;

std::vector<std::string> LeftInDataDir(const fs::path& data_dir) {
  std::vector<std::string> left;
  // There are neither before the first task.
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(data_dir / "workspaces", none)) {
    left.push_back("a workspace is left: " + entry.path().string());
  }
  for (const auto& entry : fs::recursive_directory_iterator(data_dir / "mirrors", none)) {
    const std::string name = entry.path().filename();
    // The lock beside a mirror is a file that stays; nobody holds it.
    if (name.ends_with(".lock") && !name.ends_with(".git.lock")) {
      left.push_back("a lock is left: " + entry.path().string());
    }
    if (entry.path().parent_path().filename() == "worktrees") {
      left.push_back("a worktree is registered: " + entry.path().string());
    }
  }
  return left;
}

std::vector<std::string> ProcessesOf(const fs::path& home) {
  std::vector<std::string> left;
  std::error_code gone;
  for (const auto& process : fs::directory_iterator("/proc", gone)) {
    const std::string cwd = fs::read_symlink(process.path() / "cwd", gone);
    const auto argv = ReadFile(process.path() / "cmdline");
    const bool ours =
        cwd.starts_with(home.string()) || (argv.ok() && argv->find(home.string()) != argv->npos);
    if (!ours) continue;
    const std::string said = argv.ok() ? ReplaceAll(*argv, std::string(1, '\0'), " ") : "";
    left.push_back("a process is left: " + process.path().string() + " " + said);
  }
  return left;
}

}  // namespace swage::test
