#include "tests/harness/fake_cgroup_files.h"

#include <fcntl.h>

#include <algorithm>

#include "config/base/text.h"

namespace swage::test {
namespace {

constexpr std::uint64_t kPage = 4096;

std::pair<std::string, std::string> Cut(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return {path.substr(0, slash), path.substr(slash + 1)};
}

std::string Words(const std::set<std::string>& set) {
  return Join({set.begin(), set.end()}, " ") + "\n";
}

Error Fail(ErrorCode code, const std::string& path) {
  return MakeError(code, path + ": " + std::string(ErrorCodeName(code)));
}

}  // namespace

FakeCgroups::Group& FakeCgroups::Add(const std::string& dir, std::set<std::string> controllers) {
  Group& group = groups[dir];
  group.available = std::move(controllers);
  group.files = {{"cgroup.kill", ""}, {"cgroup.procs", ""}, {"cpu.stat", "usage_usec 0\n"}};
  if (group.available.contains("memory")) {
    group.files["memory.max"] = "max\n";
    group.files["memory.peak"] = "0\n";
    group.files["memory.events"] = "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\n";
  }
  if (group.available.contains("pids")) {
    group.files["pids.max"] = "max\n";
    group.files["pids.events"] = "max 0\n";
  }
  if (group.available.contains("cpu")) group.files["cpu.max"] = "max 100000\n";
  return group;
}

Result<std::string> FakeCgroupFiles::Read(const std::string& file) const {
  const auto [dir, name] = Cut(file);
  const auto it = state_->groups.find(dir);
  if (it == state_->groups.end()) return Fail(ErrorCode::kNotFound, file);
  const FakeCgroups::Group& group = it->second;
  if (name == "cgroup.controllers") return Words(group.available);
  if (name == "cgroup.subtree_control") return Words(group.handed_down);
  if (name == "cgroup.procs") return Join(group.processes, "\n");
  if (name == "cgroup.events") {
    return std::string(group.processes.empty() ? "populated 0\n" : "populated 1\n");
  }
  const auto content = group.files.find(name);
  if (content == group.files.end()) return Fail(ErrorCode::kNotFound, file);
  return content->second;
}

Result<void> FakeCgroupFiles::Write(const std::string& file, std::string_view text) {
  const auto [dir, name] = Cut(file);
  const auto it = state_->groups.find(dir);
  if (it == state_->groups.end()) return Fail(ErrorCode::kNotFound, file);
  if (state_->denied.contains(file)) return Fail(ErrorCode::kDenied, file);
  if (state_->ignoring.contains(file)) return Ok();
  FakeCgroups::Group& group = it->second;
  if (name == "cgroup.subtree_control") return HandDown(group, text);
  if (name == "cgroup.procs") return Move(dir, text);
  if (!group.files.contains(name)) return Fail(ErrorCode::kNotFound, file);
  if (name == "cgroup.kill") {
    state_->killed.insert(dir);
    group.processes.clear();
    return Ok();
  }
  std::string value(text);
  if (name == "memory.max") {
    const auto bytes = static_cast<std::uint64_t>(ParseInt(text).value());
    value = std::to_string(bytes / kPage * kPage);
  }
  group.files[name] = value + "\n";
  return Ok();
}

Result<void> FakeCgroupFiles::HandDown(FakeCgroups::Group& group, std::string_view words) {
  if (!group.processes.empty() && !group.is_root) return Fail(ErrorCode::kConflict, "processes");
  for (const std::string_view word : Split(words, ' ')) {
    const std::string controller(word.substr(1));
    if (!group.available.contains(controller)) return Fail(ErrorCode::kNotFound, controller);
    group.handed_down.insert(controller);
  }
  return Ok();
}

Result<void> FakeCgroupFiles::Move(const std::string& dir, std::string_view pid) {
  FakeCgroups::Group& to = state_->groups.at(dir);
  if (!to.handed_down.empty() && !to.is_root) return Fail(ErrorCode::kConflict, dir);
  for (auto& [name, group] : state_->groups) std::erase(group.processes, pid);
  to.processes.emplace_back(pid);
  return Ok();
}

Result<void> FakeCgroupFiles::MakeDir(const std::string& dir) {
  const auto parent = state_->groups.find(Cut(dir).first);
  if (parent == state_->groups.end()) return Fail(ErrorCode::kNotFound, dir);
  if (state_->denied.contains(parent->first)) return Fail(ErrorCode::kDenied, dir);
  if (state_->groups.contains(dir)) return Fail(ErrorCode::kConflict, dir);
  state_->Add(dir, parent->second.handed_down);
  return Ok();
}

bool FakeCgroupFiles::HasChildren(const std::string& dir) const {
  const auto next = state_->groups.upper_bound(dir + "/");
  return next != state_->groups.end() && next->first.starts_with(dir + "/");
}

Result<void> FakeCgroupFiles::RemoveDir(const std::string& dir) {
  const auto it = state_->groups.find(dir);
  if (it == state_->groups.end()) return Fail(ErrorCode::kNotFound, dir);
  if (!it->second.processes.empty() || HasChildren(dir)) return Fail(ErrorCode::kConflict, dir);
  state_->groups.erase(it);
  return Ok();
}

std::vector<std::string> FakeCgroupFiles::ListDirs(const std::string& dir) const {
  std::vector<std::string> names;
  for (const auto& [path, group] : state_->groups) {
    const auto [parent, name] = Cut(path);
    if (parent == dir) names.push_back(name);
  }
  return names;
}

Result<Fd> FakeCgroupFiles::Open(const std::string& file) {
  if (!state_->groups.contains(Cut(file).first)) return Fail(ErrorCode::kNotFound, file);
  return Fd(open("/dev/null", O_WRONLY | O_CLOEXEC));
}

}  // namespace swage::test
