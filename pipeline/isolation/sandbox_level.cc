// The level sandbox: namespaces by bubblewrap, and swage-enter inside.
//
// A command sees the system's programs read-only, a small /etc, a /proc of its own processes, an
// empty /run, /tmp and /dev/shm in memory, the folders of its cell, and nothing else; the network
// namespace is empty unless the host's was asked for.
//
// As a user the namespaces begin with a user namespace of that user's id. As root bubblewrap mounts
// with root's rights, so that nothing needs to be reachable for others, keeps the three
// capabilities that changing the user needs, and swage-enter becomes an unprivileged user without
// any: root in a user namespace of its own would still be root to files that it is shown. In both,
// no command can make another user namespace (seccomp), where it would be root again.
//
// The command's environment could change bubblewrap itself, which is linked dynamically and runs
// outside (LD_PRELOAD): every variable travels under another name (enter_main.cc).
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "config/base/files.h"
#include "config/base/text.h"
#include "pipeline/isolation/enclosure.h"
#include "pipeline/isolation/probe.h"
#include "pipeline/isolation/small_etc.h"
#include "pipeline/isolation/tried_level.h"

namespace swage {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kEnterInside = "/run/swage/enter";
constexpr const char* kBwrap[] = {"/usr/bin/bwrap", "/usr/local/bin/bwrap"};
// In memory, which counts against the command's limit where there is one.
constexpr std::string_view kTmpBytes = "536870912";
constexpr std::string_view kSmallBytes = "16777216";

// Merged or not: a link is shown as one.
constexpr const char* kSystemFolders[] = {"/bin",    "/sbin", "/lib", "/lib32", "/lib64",
                                          "/libx32", "/usr",  "/opt", "/nix",   "/gnu"};

using Words = std::vector<std::string>;

void Add(Words& words, std::initializer_list<std::string> more) {
  words.insert(words.end(), more);
}

void AddMemory(Words& words, std::string_view mode, std::string_view bytes, std::string place) {
  Add(words,
      {"--perms", std::string(mode), "--size", std::string(bytes), "--tmpfs", std::move(place)});
}

std::string FindBwrap() {
  for (const char* path : kBwrap) {
    if (access(path, X_OK) == 0) return path;
  }
  return {};
}

bool IsBelow(const fs::path& path, const fs::path& folder) {
  const fs::path rest = path.lexically_relative(folder.lexically_normal());
  return !rest.empty() && *rest.begin() != "..";
}

// Shown anyway. A mount there would have to follow its links, which bubblewrap does not.
bool IsSystem(const fs::path& path) {
  return std::ranges::any_of(kSystemFolders,
                             [&](const char* folder) { return IsBelow(path, folder); });
}

// What bubblewrap mounts below a folder that commands write to, it would create there first: as
// root, along links that an earlier command may have left.
Result<void> CheckCell(const Cell& cell, const std::vector<fs::path>& written) {
  std::vector<fs::path> paths = {cell.workspace, cell.home, cell.tmp};
  for (const Shared& share : cell.shares) paths.push_back(share.path);
  for (const fs::path& path : paths) {
    if (path.is_absolute() && path.lexically_normal() == path) continue;
    return MakeError(ErrorCode::kInternal,
                     fmt::format("not an absolute path of a cell: {}", path.string()));
  }
  for (const Shared& share : cell.shares) {
    for (const fs::path& folder : {cell.workspace, cell.home, cell.tmp}) {
      if (!IsBelow(share.path, folder)) continue;
      return MakeError(ErrorCode::kInternal,
                       fmt::format("{} lies inside of {}, which commands write",
                                   share.path.string(), folder.string()));
    }
  }
  for (const fs::path& folder : written) {
    if (!IsBelow(cell.workspace, folder)) continue;
    return MakeError(ErrorCode::kInvalid,
                     fmt::format("isolation.write names {}, which holds the workspaces; name "
                                 "folders outside of data_dir",
                                 folder.string()));
  }
  return Ok();
}

class SandboxLevel final : public TriedLevel {
 public:
  SandboxLevel(IsolationOptions options, ProcessRunner& processes)
      : TriedLevel(std::move(options), processes) {}

  IsolationLevel Level() const override { return IsolationLevel::kSandbox; }

 private:
  void Look() const override {
    bwrap_ = FindBwrap();
    if (bwrap_.empty()) {
      ability_.why_not = "bwrap is not installed; apt install bubblewrap";
      return;
    }
    const auto tried = Try();
    ability_.available = tried.ok();
    if (!tried.ok()) {
      ability_.why_not = fmt::format("{}; {}", tried.error().message, Fix());
      return;
    }
    ability_.guarantees = OfNamespaces();
    for (const Guarantee limit : LimitsOfRunner(options_)) ability_.guarantees.push_back(limit);
  }

  std::string_view Fix() const {
    if (root_) return "in a container, give it CAP_SYS_ADMIN and let it mount";
    return "allow user namespaces (sysctl user.max_user_namespaces, "
           "kernel.unprivileged_userns_clone,"
           " kernel.apparmor_restrict_unprivileged_userns), or run the server as root";
  }

  Result<void> Try() const {
    SWAGE_RETURN_IF_ERROR(MakeSmallEtc(Etc(), User()));
    return TryEnclosure(Owner(), [this](const Cell& cell) { return EncloseHere(cell); });
  }

  fs::path Etc() const { return options_.state / "etc"; }

  Result<std::unique_ptr<ProcessRunner>> EncloseHere(const Cell& cell) const override {
    SWAGE_RETURN_IF_ERROR(CheckCell(cell, options_.written));
    EnclosureParts parts;
    parts.name = "the sandbox";
    parts.words_before = [this, cell](const ProcessSpec& spec) -> Result<Words> {
      Words words = Namespaces(spec.network);
      AddSystem(words, spec.network);
      AddCell(words, cell);
      const bool door = spec.network == NetworkUse::kAllowList && !cell.egress.empty();
      if (door) Bind(words, cell.egress.parent_path(), false);
      Add(words, {"--chdir", "/", "--"});
      AddEnter(words, spec.cwd, door ? cell.egress : fs::path());
      return words;
    };
    parts.adapt = HideEnvironment;
    return MakeEnclosure(std::move(parts), processes_);
  }

  Words Namespaces(NetworkUse network) const {
    Words words = {bwrap_,
                   "--die-with-parent",
                   "--new-session",
                   "--unshare-pid",
                   "--unshare-ipc",
                   "--unshare-uts",
                   "--unshare-cgroup-try",
                   "--hostname",
                   "swage",
                   "--cap-drop",
                   "ALL"};
    if (root_) {
      for (const char* kept : {"CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"}) {
        Add(words, {"--cap-add", kept});
      }
    } else {
      Add(words, {"--unshare-user"});
    }
    if (network != NetworkUse::kHost) Add(words, {"--unshare-net"});
    return words;
  }

  void AddSystem(Words& words, NetworkUse network) const {
    for (const char* folder : kSystemFolders) {
      std::error_code error;
      if (fs::is_symlink(folder, error)) {
        Add(words, {"--symlink", fs::read_symlink(folder, error).string(), folder});
      } else {
        Add(words, {"--ro-bind-try", folder, folder});
      }
    }
    Add(words, {"--ro-bind", Etc().string(), "/etc"});
    if (network == NetworkUse::kHost) {
      Add(words, {"--ro-bind-try", "/etc/resolv.conf", "/etc/resolv.conf"});
    }
    Add(words, {"--proc", "/proc", "--dev", "/dev"});
    AddMemory(words, "1777", kTmpBytes, "/dev/shm");
    AddMemory(words, "1777", kTmpBytes, "/tmp");
    AddMemory(words, "1777", kTmpBytes, "/var/tmp");
    AddMemory(words, "0755", kSmallBytes, "/run");
    Add(words, {"--ro-bind", options_.enter.string(), std::string(kEnterInside)});
    // Behind the folders in memory, below which they may lie.
    for (const fs::path& path : options_.written) {
      AddParents(words, path);
      Add(words, {"--bind-try", path.string(), path.string()});
    }
    for (const fs::path& path : options_.shown) {
      if (IsSystem(path)) continue;
      AddParents(words, path);
      Add(words, {"--ro-bind-try", path.string(), path.string()});
    }
  }

  // Otherwise they get the modes that they have outside, which may be for the bot alone.
  static void AddParents(Words& words, const fs::path& path) {
    fs::path parent = "/";
    for (const fs::path& name : path.parent_path().relative_path()) {
      parent /= name;
      Add(words, {"--perms", "0755", "--dir", parent.string()});
    }
  }

  static void Bind(Words& words, const fs::path& path, bool writable) {
    AddParents(words, path);
    Add(words, {writable ? "--bind" : "--ro-bind", path.string(), path.string()});
  }

  static void AddCell(Words& words, const Cell& cell) {
    for (const Shared& share : cell.shares) Bind(words, share.path, share.writable);
    Bind(words, cell.workspace, !cell.read_only);
    Bind(words, cell.home, true);
    Bind(words, cell.tmp, true);
  }

  void AddEnter(Words& words, const std::string& directory, const fs::path& egress) const {
    Add(words, {std::string(kEnterInside), "--environment", "--capabilities", "none", "--seccomp",
                "--chdir", directory});
    if (!egress.empty()) Add(words, {"--egress", egress.string()});
    if (root_) Add(words, {"--user", fmt::format("{}:{}", options_.user.uid, options_.user.gid)});
    Add(words, {"--"});
  }

  mutable std::string bwrap_;
};

}  // namespace

std::unique_ptr<Isolation> MakeSandboxLevel(const IsolationOptions& options,
                                            ProcessRunner& processes) {
  return std::make_unique<SandboxLevel>(options, processes);
}

}  // namespace swage
