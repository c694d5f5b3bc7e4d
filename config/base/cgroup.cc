#include "config/base/cgroup.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "config/base/files.h"
#include "config/base/supervisor_protocol.h"
#include "config/base/text.h"

namespace swage {
namespace {

using std::chrono::milliseconds;

// A second in all: what is not gone by then is stuck in the kernel, and the next start tries again.
constexpr int kMaxRounds = 500;
constexpr milliseconds kRoundPause{2};
constexpr std::string_view kHomePrefix = "swage-";
constexpr std::size_t kStartField = 19;  // behind the name: field 22 of /proc/PID/stat

std::string ReadProc(const std::string& file) {
  const auto text = ReadFile(file);
  return text.ok() ? *text : "";
}

// When a process started, in ticks since the machine did; empty when there is none.
std::string StartOf(std::string_view pid) {
  const std::string stat = ReadProc(fmt::format("/proc/{}/stat", pid));
  const std::size_t name_end = stat.rfind(") ");
  if (name_end == stat.npos) return "";
  const auto fields = Split(std::string_view(stat).substr(name_end + 2), ' ');
  return fields.size() > kStartField ? std::string(fields[kStartField]) : "";
}

// "pid:[4026531836]" without all but the digits.
std::string PidNamespace() {
  std::error_code error;
  const std::string link = std::filesystem::read_symlink("/proc/self/ns/pid", error).string();
  std::string digits;
  std::copy_if(link.begin(), link.end(), std::back_inserter(digits),
               [](char c) { return c >= '0' && c <= '9'; });
  return digits;
}

}  // namespace

std::string ProcessName() {
  const std::string pid = std::to_string(getpid());
  return fmt::format("{}-{}-{}", PidNamespace(), pid, StartOf(pid));
}

// Of another namespace we cannot tell.
bool ProcessLives(std::string_view name) {
  const auto parts = Split(name, '-');
  if (parts.size() != 3 || !ParseInt(parts[1]) || parts[0] != PidNamespace()) return true;
  return StartOf(parts[1]) == parts[2];
}

Result<void> WriteLimit(CgroupFiles& files, const std::string& file, std::uint64_t value) {
  SWAGE_RETURN_IF_ERROR(files.Write(file, std::to_string(value)));
  SWAGE_ASSIGN_OR_RETURN(const std::string text, files.Read(file));
  const auto taken = ParseInt(Trim(text));
  if (taken && static_cast<std::uint64_t>(*taken) <= value) return Ok();
  return MakeError(ErrorCode::kInternal,
                   fmt::format("{} is {} instead of {}", file, Trim(text), value));
}

std::uint64_t ReadNumber(const CgroupFiles& files, const std::string& file, std::string_view key) {
  const auto text = files.Read(file);
  if (!text.ok()) return 0;
  for (std::string_view line : SplitLines(*text)) {
    if (!key.empty()) {
      if (!line.starts_with(key) || line.substr(key.size(), 1) != " ") continue;
      line.remove_prefix(key.size() + 1);
    }
    return static_cast<std::uint64_t>(ParseInt(Trim(line)).value_or(0));
  }
  return 0;
}

std::vector<pid_t> ProcessesOf(const CgroupFiles& files, const std::string& dir) {
  std::vector<pid_t> pids;
  const auto text = files.Read(dir + "/cgroup.procs");
  if (!text.ok()) return pids;
  for (const std::string_view line : SplitLines(*text)) {
    const auto pid = ParseInt(line);
    if (pid && pids.size() < kMaxGroupProcesses) pids.push_back(static_cast<pid_t>(*pid));
  }
  return pids;
}

CommandGroup::~CommandGroup() {
  entries_.clear();
  KillAll();
  for (const auto& hierarchy : owner_.hierarchies_) {
    owner_.Remove(owner_.DirOf(*hierarchy, name_));
  }
}

GroupUse CommandGroup::Use() const {
  GroupUse use;
  for (const auto& hierarchy : owner_.hierarchies_) {
    hierarchy->AddUse(owner_.DirOf(*hierarchy, name_), use);
  }
  return use;
}

void CommandGroup::KillAll() {
  for (const auto& hierarchy : owner_.hierarchies_) {
    owner_.Kill(*hierarchy, owner_.DirOf(*hierarchy, name_));
  }
}

std::shared_ptr<CommandGroups> CommandGroups::Open() {
  return std::make_shared<CommandGroups>(MakeCgroupFiles(), ReadProc("/proc/self/mountinfo"),
                                         ReadProc("/proc/self/cgroup"), ProcessName(),
                                         ProcessLives);
}

CommandGroups::CommandGroups(std::unique_ptr<CgroupFiles> files, std::string_view mountinfo,
                             std::string_view own, std::string self,
                             bool (*lives)(std::string_view))
    : files_(std::move(files)), home_name_(std::string(kHomePrefix) + self) {
  for (auto& hierarchy : FindHierarchies(*files_, mountinfo, own)) {
    Sweep(*hierarchy, lives);
    Adopt(std::move(hierarchy));
  }
}

CommandGroups::~CommandGroups() {
  for (const auto& hierarchy : hierarchies_) Remove(DirOf(*hierarchy, ""));
}

std::string CommandGroups::DirOf(const CgroupHierarchy& hierarchy, std::string_view name) const {
  return fmt::format("{}/{}{}{}", hierarchy.Parent(), home_name_, name.empty() ? "" : "/", name);
}

void CommandGroups::Adopt(std::unique_ptr<CgroupHierarchy> hierarchy) {
  if (hierarchies_.size() == kMaxSupervisorGroups) return;
  const auto made = hierarchy->MakeHome(DirOf(*hierarchy, ""));
  if (!made.ok()) {
    refusals_.push_back(made.error().message);
    return;
  }
  if (!hierarchy->WhyNot().empty()) refusals_.push_back(hierarchy->WhyNot());
  hierarchies_.push_back(std::move(hierarchy));
}

// What a process that is gone left: it may have been killed together with nobody else.
void CommandGroups::Sweep(CgroupHierarchy& hierarchy, bool (*lives)(std::string_view)) {
  for (const std::string& name : files_->ListDirs(hierarchy.Parent())) {
    if (!name.starts_with(kHomePrefix)) continue;
    if (lives(std::string_view(name).substr(kHomePrefix.size()))) continue;
    const std::string home = hierarchy.Parent() + "/" + name;
    for (const std::string& command : files_->ListDirs(home)) {
      Kill(hierarchy, home + "/" + command);
      Remove(home + "/" + command);
    }
    Remove(home);
  }
}

void CommandGroups::Kill(CgroupHierarchy& hierarchy, const std::string& dir) {
  for (int round = 0; round < kMaxRounds && hierarchy.KillRound(dir); ++round) {
    std::this_thread::sleep_for(kRoundPause);
  }
}

// The kernel needs a moment after the last process.
void CommandGroups::Remove(const std::string& dir) {
  for (int round = 0; round < kMaxRounds; ++round) {
    const auto removed = files_->RemoveDir(dir);
    if (removed.ok() || removed.error().code != ErrorCode::kConflict) return;
    std::this_thread::sleep_for(kRoundPause);
  }
}

std::string_view CommandGroups::MeansOf(Controller controller) const {
  for (const auto& hierarchy : hierarchies_) {
    if (hierarchy->Has(controller)) return hierarchy->Name();
  }
  return "";
}

std::string CommandGroups::WhyNot() const {
  return refusals_.empty() ? "this machine has no control groups for it" : Join(refusals_, "; ");
}

Result<std::unique_ptr<CommandGroup>> CommandGroups::Make(const ResourceLimits& limits) {
  auto group = std::make_unique<CommandGroup>(*this, fmt::format("c{}", ++made_));
  for (const auto& hierarchy : hierarchies_) {
    const std::string dir = DirOf(*hierarchy, group->name_);
    SWAGE_RETURN_IF_ERROR(files_->MakeDir(dir));
    SWAGE_RETURN_IF_ERROR(hierarchy->SetLimits(dir, limits));
    SWAGE_ASSIGN_OR_RETURN(Fd entry, files_->Open(dir + "/cgroup.procs"));
    group->entries_.push_back(std::move(entry));
  }
  return group;
}

}  // namespace swage
