// The level container: an image that is on this machine, by podman (or an engine with the same
// command line), and swage-enter inside.
//
// The root file system is read-only, the user is not root, there are no capabilities, no network
// but what was asked for, and the folders of the cell under their own paths. Nothing is ever
// pulled: an operator who names an image has looked at it. Engines accept limits that they do not
// keep (rootless podman on control groups v1): the level promises those that it saw inside.
//
// A container that was killed leaves its name and its layers: they are removed after such a run,
// and those of an earlier process at the first look.
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <utility>

#include "config/base/text.h"
#include "config/settings.h"
#include "pipeline/isolation/enclosure.h"
#include "pipeline/isolation/probe.h"
#include "pipeline/isolation/tried_level.h"

namespace swage {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kEnterInside = "/swage-enter";
constexpr std::string_view kTmpOptions = "rw,exec,size=512m,mode=1777";
constexpr std::string_view kPodman = "podman";
constexpr std::string_view kLabel = "swage.instance";
constexpr std::string_view kEnginePath =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr std::chrono::minutes kEngineLimit{2};
constexpr rlim_t kMostFiles = 65'536;
// More than that podman refuses, whatever the bot's own limit.
constexpr rlim_t kMostProcesses = 32'768;
// What the probe asks for and looks up inside.
constexpr std::uint64_t kProbeMemory = 64 << 20;
constexpr int kProbeProcesses = 64;

using Words = std::vector<std::string>;

void Add(Words& words, std::initializer_list<std::string> more) {
  words.insert(words.end(), more);
}

// The engine's own: where its storage is, and how it speaks to its daemon.
std::map<std::string, std::string> EngineEnvironment() {
  std::map<std::string, std::string> env = {{"PATH", std::string(kEnginePath)}};
  for (const char* name :
       {"HOME", "XDG_RUNTIME_DIR", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "DBUS_SESSION_BUS_ADDRESS",
        "DOCKER_HOST", "CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF"}) {
    if (const char* value = std::getenv(name)) env[name] = value;
  }
  return env;
}

// A container's defaults may be beyond what the bot itself has, and nobody can raise those.
std::string OwnLimit(std::string_view name, __rlimit_resource_t resource, rlim_t bound) {
  rlimit own{};
  getrlimit(resource, &own);
  const rlim_t most = std::min(own.rlim_max, bound);
  return fmt::format("{}={}:{}", name, most, most);
}

std::string FileName(const std::string& path) {
  return fs::path(path).filename().string();
}

class ContainerLevel final : public TriedLevel {
 public:
  ContainerLevel(IsolationOptions options, ProcessRunner& processes)
      : TriedLevel(std::move(options), processes),
        podman_(FileName(options_.container) == kPodman) {}

  IsolationLevel Level() const override { return IsolationLevel::kContainer; }

 private:
  Result<std::unique_ptr<ProcessRunner>> EncloseHere(const Cell& cell) const override {
    return MakeRunner(cell, engine_);
  }

  void Look() const override {
    if (options_.image.empty()) {
      ability_.why_not = "isolation.container.image names no image";
      return;
    }
    const auto version = Engine({options_.container, "--version"});
    if (!version.ok()) {
      ability_.why_not =
          version.error().code == ErrorCode::kNotFound
              ? fmt::format("{} is not installed; apt install {}", options_.container,
                            podman_ ? "podman runc" : FileName(options_.container))
              : version.error().message;
      return;
    }
    FindEngine();
    if (!ability_.available) return;
    RemoveLeftovers();
    ability_.guarantees = OfNamespaces();
    LookAtLimits();
    // A daemon's containers are not among the runner's processes: files that they hold open without
    // a name would not be seen.
    if (podman_ && !KeeperOf(Guarantee::kDiskLimit, Level(), options_).empty()) {
      ability_.guarantees.push_back(Guarantee::kDiskLimit);
    }
  }

  // crun refuses a machine with both control group hierarchies; runc does not.
  void FindEngine() const {
    std::vector<Words> candidates = {{options_.container}};
    if (podman_) candidates.push_back({options_.container, "--runtime", "runc"});
    for (Words& candidate : candidates) {
      const auto tried =
          TryEnclosure(Owner(), [&](const Cell& cell) { return MakeRunner(cell, candidate); });
      ability_.available = tried.ok();
      if (tried.ok()) {
        engine_ = std::move(candidate);
        ability_.why_not.clear();
        return;
      }
      if (ability_.why_not.empty()) ability_.why_not = Explain(tried.error().message);
    }
  }

  std::string Explain(const std::string& message) const {
    const auto says = [&](std::string_view words) { return message.find(words) != message.npos; };
    if (says("image not known") || says("No such image") || says("Unable to find image")) {
      return fmt::format("the image {} is not on this machine; {} pull {}", options_.image,
                         options_.container, options_.image);
    }
    if (says("hierarchy") || says("cgroup")) return message + "; apt install runc";
    return message;
  }

  void LookAtLimits() const {
    const auto scratch = ScratchCell::Make(Owner());
    if (!scratch.ok()) return;
    ProcessSpec spec = SpecIn((*scratch)->Get());
    spec.argv = {"/bin/sh", "-c",
                 "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes; echo; "
                 "cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/pids/pids.max; true"};
    spec.limits.memory_bytes = kProbeMemory;
    spec.limits.processes = kProbeProcesses;
    spec.network = NetworkUse::kNone;
    spec.merge_stderr = false;
    spec.time_limit = kEngineLimit;
    const auto runner = MakeRunner((*scratch)->Get(), engine_);
    if (!runner.ok()) return;
    const auto seen = RunAndCapture(**runner, spec);
    if (!seen.ok()) return;
    const auto shows = [&](auto value) {
      const std::vector<std::string_view> lines = SplitLines(*seen);
      return std::find(lines.begin(), lines.end(), std::to_string(value)) != lines.end();
    };
    if (shows(kProbeMemory)) ability_.guarantees.push_back(Guarantee::kMemoryLimit);
    if (shows(kProbeProcesses)) ability_.guarantees.push_back(Guarantee::kProcessLimit);
  }

  Result<std::string> Engine(Words words) const {
    ProcessSpec spec;
    spec.argv = std::move(words);
    spec.env = EngineEnvironment();
    spec.cwd = "/";
    spec.time_limit = kEngineLimit;
    return RunAndCapture(processes_, std::move(spec));
  }

  void RemoveLeftovers() const {
    Words list = engine_;
    Add(list, {"ps", "--all", "--quiet", "--filter",
               fmt::format("label={}={}", kLabel, options_.instance)});
    const auto found = Engine(std::move(list));
    if (!found.ok()) return;
    for (const std::string_view id : SplitLines(*found)) {
      if (!Trim(id).empty()) Remove(std::string(Trim(id)), engine_);
    }
  }

  // Mostly there is nothing: the engine says so, and nobody needs to know.
  void Remove(const std::string& name, Words engine) const {
    Add(engine, {"rm", "--force", name});
    (void)Engine(std::move(engine)).ok();
  }

  Result<std::unique_ptr<ProcessRunner>> MakeRunner(const Cell& cell, const Words& engine) const {
    const std::string name =
        fmt::format("swage-{}-{}-{}", options_.instance, cell.name, ++containers_);
    EnclosureParts parts;
    parts.name = "the container";
    parts.passes_descriptors = podman_;
    parts.words_before = [this, cell, engine, name](const ProcessSpec& spec) -> Result<Words> {
      Words words = engine;
      Add(words, {"run", "--rm", "--name", name});
      AddGuards(words);
      AddLimits(words, spec.limits);
      AddNetwork(words, spec.network);
      AddFolders(words, cell);
      const bool door = spec.network == NetworkUse::kAllowList && !cell.egress.empty();
      if (door) {
        Add(words, {"--volume", fmt::format("{0}:{0}:ro", cell.egress.parent_path().string())});
      }
      for (const auto& [variable, ignored] : spec.env) {
        Add(words, {"--env", HiddenName(variable)});
      }
      Add(words, {"--workdir", spec.cwd, "--entrypoint", std::string(kEnterInside),
                  cell.image.empty() ? options_.image : cell.image, "--environment",
                  "--capabilities", "none", "--seccomp"});
      if (door) Add(words, {"--egress", cell.egress.string()});
      Add(words, {"--"});
      return words;
    };
    parts.adapt = [](ProcessSpec& spec) {
      HideEnvironment(spec);
      spec.env.merge(EngineEnvironment());
      spec.cwd = "/";
      // The engine's processes are not the command's: inside, the engine keeps the limits.
      spec.limits.memory_bytes = 0;
      spec.limits.processes = 0;
      spec.limits.cpus = 0;
      spec.limits.open_files = 0;
    };
    parts.after_kill = [this, name, engine] { Remove(name, engine); };
    return MakeEnclosure(std::move(parts), processes_);
  }

  void AddGuards(Words& words) const {
    Add(words, {"--label", fmt::format("{}={}", kLabel, options_.instance), "--pull", "never",
                "--read-only", "--cap-drop", "all", "--security-opt", "no-new-privileges",
                "--log-driver", "none", "--hostname", "swage", "--interactive", "--tmpfs",
                fmt::format("/tmp:{}", kTmpOptions)});
    if (podman_) Add(words, {"--preserve-fds", "1"});
    const FileOwner user = User();
    Add(words, {"--user", fmt::format("{}:{}", user.uid, user.gid)});
    if (!root_ && podman_) Add(words, {"--userns", "keep-id"});
    Add(words, {"--volume", fmt::format("{}:{}:ro", options_.enter.string(), kEnterInside)});
  }

  static void AddLimits(Words& words, const ResourceLimits& limits) {
    if (limits.memory_bytes != 0) {
      const std::string bytes = fmt::format("{}b", limits.memory_bytes);
      Add(words, {"--memory", bytes, "--memory-swap", bytes});
    }
    if (limits.processes != 0) Add(words, {"--pids-limit", std::to_string(limits.processes)});
    if (limits.cpus > 0) Add(words, {"--cpus", fmt::format("{:.2f}", limits.cpus)});
    const std::string files = limits.open_files == 0
                                  ? OwnLimit("nofile", RLIMIT_NOFILE, kMostFiles)
                                  : fmt::format("nofile={0}:{0}", limits.open_files);
    Add(words, {"--ulimit", files, "--ulimit", OwnLimit("nproc", RLIMIT_NPROC, kMostProcesses)});
  }

  static void AddNetwork(Words& words, NetworkUse network) {
    Add(words, {"--network", network == NetworkUse::kHost ? "host" : "none"});
  }

  void AddFolders(Words& words, const Cell& cell) const {
    const auto mount = [&](const fs::path& path, bool writable) {
      Add(words, {"--volume", fmt::format("{0}:{0}:{1}", path.string(), writable ? "rw" : "ro")});
    };
    std::error_code error;
    for (const fs::path& path : options_.written) {
      if (fs::exists(path, error)) mount(path, true);
    }
    for (const Shared& share : cell.shares) mount(share.path, share.writable);
    mount(cell.workspace, !cell.read_only);
    mount(cell.home, true);
    mount(cell.tmp, true);
  }

  const bool podman_;
  mutable Words engine_;
  mutable std::atomic<int> containers_{0};
};

}  // namespace

std::unique_ptr<Isolation> MakeContainerLevel(const IsolationOptions& options,
                                              ProcessRunner& processes) {
  return std::make_unique<ContainerLevel>(options, processes);
}

}  // namespace swage
