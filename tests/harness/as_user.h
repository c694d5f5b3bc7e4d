// The running test program again, as somebody who owns nothing but a folder.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "config/base/files.h"
#include "config/base/process.h"

namespace swage::test {

inline constexpr uid_t kPlainUser = 65'431;

/// What those of its tests print that `filter` selects; an error when one fails. Only for root.
inline Result<std::string> RunSelfAsPlainUser(ProcessRunner& runner, const std::string& filter) {
  namespace fs = std::filesystem;
  const TempDir place("swage-user-");
  const fs::path self = fs::read_symlink("/proc/self/exe");
  for (const auto& program : fs::directory_iterator(self.parent_path())) {
    const std::string name = program.path().filename();
    if (name.starts_with("swage-")) fs::copy_file(program, place.path() / name);
  }
  fs::copy_file(self, place.path() / "tests");
  fs::create_directory(place.path() / "tmp");
  for (const fs::path& path : {place.path(), place.path() / "tmp"}) {
    if (chown(path.c_str(), kPlainUser, kPlainUser) != 0) {
      return MakeError(ErrorCode::kInternal, "cannot give a folder away");
    }
  }
  const std::string user = std::to_string(kPlainUser);
  ProcessSpec spec;
  spec.argv = {"setpriv",
               "--reuid",
               user,
               "--regid",
               user,
               "--clear-groups",
               (place.path() / "tests").string(),
               "--gtest_filter=" + filter};
  spec.env = {{"PATH", "/usr/bin:/bin"},
              {"HOME", place.path().string()},
              {"TMPDIR", (place.path() / "tmp").string()}};
  spec.cwd = place.path().string();
  return RunAndCapture(runner, spec);
}

}  // namespace swage::test
