#include "tests/faults/disk_trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <map>
#include <set>

#include "config/base/files.h"

namespace swage::test {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kMaxTraceBytes = 1u << 30;

std::string FolderOf(const std::string& path) {
  return fs::path(path).parent_path().string();
}

bool IsChangeOfFolder(DiskAct act) {
  return act == DiskAct::kCreate || act == DiskAct::kRemove;
}

// The files as a disk holds them while their changes come in.
class Disk {
 public:
  void Apply(const DiskEvent& event, std::size_t bytes_kept) {
    switch (event.act) {
      case DiskAct::kCreate:
        (event.number == 1 ? folders_ : there_).insert(event.path);
        break;
      case DiskAct::kRemove:
        there_.erase(event.path);
        files_.erase(event.path);
        break;
      case DiskAct::kWrite: {
        std::string& file = files_[event.path];
        const auto at = static_cast<std::size_t>(event.number);
        file.resize(std::max(file.size(), at + bytes_kept));
        file.replace(at, bytes_kept, event.bytes, 0, bytes_kept);
        break;
      }
      case DiskAct::kSetSize:
        files_[event.path].resize(static_cast<std::size_t>(event.number));
        break;
      case DiskAct::kSyncBegin:
      case DiskAct::kSyncEnd:
      case DiskAct::kAnswer:
        break;
    }
  }

  void WriteTo(const fs::path& folder) const {
    for (const std::string& path : folders_) fs::create_directories(folder / path);
    for (const std::string& path : there_) {
      // Its name was safe, that of its folder was not.
      if (!fs::exists((folder / path).parent_path())) continue;
      const auto file = files_.find(path);
      std::ofstream out(folder / path, std::ios::binary);
      if (file == files_.end()) continue;
      // What was only set aside takes no room here either.
      const std::size_t end = file->second.find_last_not_of('\0') + 1;
      out.write(file->second.data(), static_cast<std::streamsize>(end));
      out.close();
      fs::resize_file(folder / path, file->second.size());
    }
  }

 private:
  std::set<std::string> folders_;
  std::set<std::string> there_;
  std::map<std::string, std::string> files_;
};

}  // namespace

Result<std::vector<DiskEvent>> ReadDiskTrace(const fs::path& file) {
  SWAGE_ASSIGN_OR_RETURN(const std::string trace, ReadFile(file, kMaxTraceBytes));
  std::vector<DiskEvent> events;
  std::size_t at = 0;
  const auto take = [&](std::size_t size) {
    const std::string bytes = trace.substr(at, size);
    at += size;
    return bytes;
  };
  while (trace.size() - at >= sizeof(DiskRecordHead)) {
    DiskRecordHead head;
    std::memcpy(&head, trace.data() + at, sizeof head);
    if (trace.size() - at - sizeof head < head.path_size + head.size) break;
    at += sizeof head;
    std::string path = take(head.path_size);
    events.push_back({head.act, std::move(path), head.number, take(head.size)});
  }
  return events;
}

std::vector<std::size_t> FindSyncs(const std::vector<DiskEvent>& events) {
  std::vector<std::size_t> syncs(events.size(), events.size());
  std::map<std::int64_t, std::size_t> ends;
  std::map<std::string, std::size_t> newest;  // per file or folder, seen from behind
  for (std::size_t i = events.size(); i-- > 0;) {
    const DiskEvent& event = events[i];
    if (event.act == DiskAct::kAnswer) continue;
    if (event.act == DiskAct::kSyncEnd) {
      ends[event.number] = i;
    } else if (event.act == DiskAct::kSyncBegin) {
      const auto end = ends.find(event.number);
      if (end == ends.end()) continue;  // it failed, or never came to its end
      auto& first = newest.try_emplace(event.path, events.size()).first->second;
      first = std::min(first, end->second);
    } else {
      const auto sync =
          newest.find(IsChangeOfFolder(event.act) ? FolderOf(event.path) : event.path);
      if (sync != newest.end()) syncs[i] = sync->second;
    }
  }
  return syncs;
}

void LeaveAfterPowerCut(const std::vector<DiskEvent>& events, const std::vector<std::size_t>& syncs,
                        std::size_t cut, double lost, std::minstd_rand& random,
                        const fs::path& folder) {
  Disk disk;
  std::uniform_real_distribution<double> chance(0, 1);
  for (std::size_t i = 0; i < cut; ++i) {
    const DiskEvent& event = events[i];
    std::size_t kept = event.bytes.size();
    if (syncs[i] >= cut) {
      if (chance(random) < lost) {
        // Not at all, or (as often) torn somewhere.
        if (event.act != DiskAct::kWrite || lost >= 1 || chance(random) < 0.5) continue;
        kept = std::uniform_int_distribution<std::size_t>(0, kept)(random);
      }
    }
    disk.Apply(event, kept);
  }
  disk.WriteTo(folder);
}

}  // namespace swage::test
