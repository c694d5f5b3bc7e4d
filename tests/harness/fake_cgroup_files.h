// FakeCgroupFiles: control groups of version 2 as the kernel's documentation describes them, in
// memory: what a group may hold, who may be moved, and what appears in a new one.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/cgroup_files.h"

namespace swage::test {

/// Shared by the files and the test that looks at them.
struct FakeCgroups {
  struct Group {
    std::set<std::string> available;    ///< cgroup.controllers
    std::set<std::string> handed_down;  ///< cgroup.subtree_control
    std::vector<std::string> processes;
    std::map<std::string, std::string> files;
    bool is_root = false;
  };
  std::map<std::string, Group> groups;
  std::set<std::string> denied;    ///< files and directories that may not be written
  std::set<std::string> ignoring;  ///< files that swallow what is written to them
  std::set<std::string> killed;    ///< groups that cgroup.kill was written to

  Group& Add(const std::string& dir, std::set<std::string> controllers);
};

class FakeCgroupFiles final : public CgroupFiles {
 public:
  explicit FakeCgroupFiles(std::shared_ptr<FakeCgroups> state) : state_(std::move(state)) {}

  Result<std::string> Read(const std::string& file) const override;
  Result<void> Write(const std::string& file, std::string_view text) override;
  Result<void> MakeDir(const std::string& dir) override;
  Result<void> RemoveDir(const std::string& dir) override;
  std::vector<std::string> ListDirs(const std::string& dir) const override;
  Result<Fd> Open(const std::string& file) override;

 private:
  Result<void> HandDown(FakeCgroups::Group& group, std::string_view words);
  Result<void> Move(const std::string& dir, std::string_view pid);
  bool HasChildren(const std::string& dir) const;

  const std::shared_ptr<FakeCgroups> state_;
};

}  // namespace swage::test
