// The levels worktree and shared: the bot's own user, guarded by Landlock.
//
// What Landlock cannot do is stated as no guarantee: a task can read what the bot's user can read
// (the bot's own memory and environment excepted: Landlock refuses to trace strangers), change
// modes of that user's files, and use the network. That is what the level sandbox is for.
//
// Landlock could refuse TCP by port number (from ABI 4 on), but knows neither addresses nor UDP nor
// the paths of unix sockets. Without connections to anything, gates could not reach the servers and
// databases that they start or are given on this machine, and the promise would still not be whole:
// the network is left as it is, and the rules (config/isolation_rules.h) send up who must not have
// it.
#include <fmt/format.h>
#include <unistd.h>

#include <utility>

#include "pipeline/isolation/enclosure.h"
#include "pipeline/isolation/enter/landlock.h"
#include "pipeline/isolation/levels.h"

namespace swage {
namespace {

constexpr std::string_view kNoLandlock =
    "the kernel does not guard files by Landlock; use Linux 6.2 or newer, with landlock in its "
    "lsm= list";
constexpr std::string_view kOpenNetwork =
    "the machine's network is open to commands, and on it the bot's own ports; isolation.floor and "
    "isolation.rules send tasks that must not have it to sandbox";
constexpr std::string_view kNoScopes =
    "the kernel's Landlock does not guard signals; use Linux 6.12 or newer";

bool HasLandlock() {
  return LandlockAbi() >= kLandlockNeeded;
}

Ability Look(bool needs_landlock, const IsolationOptions& options) {
  const int abi = LandlockAbi();
  Ability ability;
  ability.available = HasLandlock() || !needs_landlock;
  ability.guarantees = LimitsOfRunner(options);
  if (!HasLandlock()) {
    ability.why_not = kNoLandlock;
    return ability;
  }
  ability.why_not = kOpenNetwork;
  ability.guarantees.push_back(Guarantee::kNoWriteOutside);
  ability.guarantees.push_back(Guarantee::kNoReadBot);
  // Who may signal the supervisor can outlive it.
  if (abi >= kLandlockScopes) {
    ability.guarantees.push_back(Guarantee::kNoSurvivors);
  } else {
    ability.why_not = fmt::format("{}; {}", kNoScopes, kOpenNetwork);
  }
  return ability;
}

class GuardedLevel final : public Isolation {
 public:
  GuardedLevel(IsolationLevel level, const IsolationOptions& options, ProcessRunner& processes)
      : level_(level),
        enter_(options.enter.string()),
        written_(options.written),
        processes_(processes),
        ability_(Look(level == IsolationLevel::kShared, options)) {}

  IsolationLevel Level() const override { return level_; }
  const Ability& Here() const override { return ability_; }
  std::optional<FileOwner> Owner() const override { return std::nullopt; }

  Result<std::unique_ptr<ProcessRunner>> Enclose(const Cell& cell) override {
    if (!ability_.available) return MakeError(ErrorCode::kUnavailable, ability_.why_not);
    EnclosureParts parts;
    parts.name = "the guarded process";
    parts.words_before = [words = Words(cell)](const ProcessSpec&) { return words; };
    return MakeEnclosure(std::move(parts), processes_);
  }

 private:
  std::vector<std::string> Words(const Cell& cell) const {
    std::vector<std::string> words = {enter_, "--seccomp"};
    if (geteuid() == 0) words.insert(words.end(), {"--capabilities", "usual"});
    if (HasLandlock()) {
      words.emplace_back("--devices");
      for (const auto& folder : WritableFolders(cell)) {
        words.insert(words.end(), {"--write", folder.string()});
      }
    }
    words.emplace_back("--");
    return words;
  }

  std::vector<std::filesystem::path> WritableFolders(const Cell& cell) const {
    std::vector<std::filesystem::path> folders;
    std::error_code error;
    for (const auto& folder : written_) {
      if (std::filesystem::exists(folder, error)) folders.push_back(folder);
    }
    folders.insert(folders.end(), {cell.home, cell.tmp});
    if (level_ != IsolationLevel::kShared && !cell.read_only) folders.push_back(cell.workspace);
    for (const Shared& share : cell.shares) {
      if (share.writable) folders.push_back(share.path);
    }
    return folders;
  }

  const IsolationLevel level_;
  const std::string enter_;
  const std::vector<std::filesystem::path> written_;
  ProcessRunner& processes_;
  const Ability ability_;
};

}  // namespace

std::unique_ptr<Isolation> MakeWorktreeLevel(const IsolationOptions& options,
                                             ProcessRunner& processes) {
  return std::make_unique<GuardedLevel>(IsolationLevel::kWorktree, options, processes);
}

std::unique_ptr<Isolation> MakeSharedLevel(const IsolationOptions& options,
                                           ProcessRunner& processes) {
  return std::make_unique<GuardedLevel>(IsolationLevel::kShared, options, processes);
}

}  // namespace swage
