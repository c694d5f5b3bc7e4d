// Which hierarchies of control groups there are, and where in them this process stands.
// proc(5): mountinfo; cgroups(7): /proc/PID/cgroup.
#include <algorithm>

#include "config/base/cgroup.h"
#include "config/base/text.h"

namespace swage {
namespace {

struct Mount {
  std::string root;   // the part of the hierarchy that is mounted
  std::string point;  // where
  std::string type;
  std::vector<std::string_view> options;  // of the hierarchy: "rw", "cpu", "cpuacct"
};

// "31 23 0:28 ROOT POINT OPTIONS FIELDS... - TYPE SOURCE SUPER_OPTIONS"
std::optional<Mount> ParseMount(std::string_view line) {
  constexpr std::string_view kSeparator = " - ";
  const std::size_t middle = line.find(kSeparator);
  if (middle == line.npos) return std::nullopt;
  const auto before = Split(line.substr(0, middle), ' ');
  const auto after = Split(line.substr(middle + kSeparator.size()), ' ');
  if (before.size() < 6 || after.size() < 3) return std::nullopt;
  return Mount{std::string(before[3]), std::string(before[4]), std::string(after[0]),
               Split(after[2], ',')};
}

bool Contains(const std::vector<std::string_view>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// The path of this process in the hierarchy of `controller`; version 2 has the empty name.
std::optional<std::string> OwnPath(std::string_view own, std::string_view controller) {
  for (const std::string_view line : SplitLines(own)) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == line.npos ? first : line.find(':', first + 1);
    if (second == line.npos) continue;
    const std::string_view names = line.substr(first + 1, second - first - 1);
    const bool this_one =
        controller.empty() ? names.empty() : Contains(Split(names, ','), controller);
    if (this_one) return std::string(line.substr(second + 1));
  }
  return std::nullopt;
}

// Nothing when the mount does not show where this process is.
std::optional<std::string> PlaceIn(const Mount& mount, std::string_view own,
                                   std::string_view controller) {
  const std::optional<std::string> path = OwnPath(own, controller);
  if (!path) return std::nullopt;
  std::string_view rest = *path;
  if (mount.root != "/") {
    if (!rest.starts_with(mount.root)) return std::nullopt;
    rest.remove_prefix(mount.root.size());
  }
  if (rest.find("..") != rest.npos) return std::nullopt;  // outside of our namespace
  if (rest == "/") rest = {};
  return mount.point + std::string(rest);
}

}  // namespace

std::vector<std::unique_ptr<CgroupHierarchy>> FindHierarchies(CgroupFiles& files,
                                                              std::string_view mountinfo,
                                                              std::string_view own) {
  constexpr std::pair<Controller, std::string_view> kNames[] = {
      {Controller::kMemory, "memory"}, {Controller::kProcesses, "pids"}, {Controller::kCpu, "cpu"}};
  std::vector<std::unique_ptr<CgroupHierarchy>> found;
  bool has_2 = false;
  for (const std::string_view line : SplitLines(mountinfo)) {
    const std::optional<Mount> mount = ParseMount(line);
    if (!mount) continue;
    if (mount->type == "cgroup2" && !has_2) {
      const auto place = PlaceIn(*mount, own, "");
      if (place) found.insert(found.begin(), MakeCgroup2(files, *place));  // kills best: first
      has_2 = has_2 || place.has_value();
    }
    if (mount->type != "cgroup") continue;
    std::vector<Controller> controllers;
    std::string_view name;
    for (const auto& [controller, kernel_name] : kNames) {
      const auto taken = [c = controller](const auto& h) {
        return h->Name() == "cgroup v1" && h->Has(c);
      };
      if (!Contains(mount->options, kernel_name)) continue;
      if (std::any_of(found.begin(), found.end(), taken)) continue;  // mounted twice
      controllers.push_back(controller);
      name = kernel_name;
    }
    if (controllers.empty()) continue;
    const auto place = PlaceIn(*mount, own, name);
    if (!place) continue;
    found.push_back(
        MakeCgroup1(files, *place, std::move(controllers), Contains(mount->options, "cpuacct")));
  }
  return found;
}

}  // namespace swage
