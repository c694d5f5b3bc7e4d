#include "bot/operator/clean_command.h"

#include <fmt/format.h>

#include <limits>
#include <ostream>

#include "bot/cli.h"
#include "bot/roles/data_dir_claim.h"
#include "config/base/limits.h"
#include "config/base/tree_watch.h"
#include "pipeline/runtime/reclaim.h"

namespace swage {
namespace {

std::uint64_t WeightOf(const Spare& spare) {
  return DiskUseOf({spare.place.string()}, std::numeric_limits<std::uint64_t>::max());
}

// A line for each thing, and what all of them come to.
class Cleaner {
 public:
  Cleaner(bool dry_run, std::ostream& out) : dry_run_(dry_run), out_(out) {}

  Result<void> Clean(Reclaimer& reclaimer) {
    SWAGE_ASSIGN_OR_RETURN(const std::vector<Spare> spares, reclaimer.List());
    Result<void> outcome;
    for (const Spare& spare : spares) {
      const std::uint64_t before = WeightOf(spare);
      if (dry_run_) {
        Tell("would remove", spare, before);
        continue;
      }
      const auto removed = reclaimer.Remove(spare, {});
      if (!removed.ok()) outcome = removed.error().With(spare.what);
      if (!removed.ok() || !*removed) continue;
      const std::uint64_t after = WeightOf(spare);
      Tell("removed", spare, before > after ? before - after : 0);
    }
    return outcome;
  }

  void Sum() {
    if (count_ == 0) {
      out_ << "nothing to remove\n";
    } else if (dry_run_) {
      out_ << fmt::format("{} would be freed, and what the garbage of mirrors weighs\n",
                          FormatSize(bytes_));
    } else {
      out_ << fmt::format("{} freed\n", FormatSize(bytes_));
    }
  }

 private:
  void Tell(std::string_view act, const Spare& spare, std::uint64_t bytes) {
    ++count_;
    if (dry_run_ && !spare.whole) {
      out_ << fmt::format("{} {} (in {})\n", act, spare.what, FormatSize(bytes));
      return;
    }
    bytes_ += bytes;
    out_ << fmt::format("{} {} ({})\n", act, spare.what, FormatSize(bytes));
  }

  const bool dry_run_;
  std::ostream& out_;
  int count_ = 0;
  std::uint64_t bytes_ = 0;
};

Result<void> CleanAll(Opened& opened, const WorkspacesMaker& make_workspaces, bool dry_run,
                      std::ostream& out) {
  SWAGE_ASSIGN_OR_RETURN(const std::string supervisor, FindSupervisor());
  const auto processes = MakePosixProcessRunner(supervisor);
  const WorkspaceOptions options;
  const auto workspaces = make_workspaces(opened.settings, *processes, options);
  Cleaner cleaner(dry_run, out);
  Result<void> outcome;
  // What cannot be removed keeps nothing else.
  for (const auto& reclaimer : MakeReclaimers(opened.settings.data_dir, *opened.store, *workspaces,
                                              Git(*processes, options))) {
    if (auto cleaned = cleaner.Clean(*reclaimer); !cleaned.ok()) outcome = std::move(cleaned);
  }
  cleaner.Sum();
  return outcome;
}

}  // namespace

int CleanCommand(const CleanOptions& options, const StoreOpener& observe,
                 const WorkspacesMaker& make_workspaces, std::ostream& out, std::ostream& err) {
  const auto opened = OpenStoreOf(options.config, observe, err);
  if (opened->store == nullptr) return opened->exit_code;
  const auto fail = [&](const Error& error) {
    err << "swage: " << opened->redactor.Apply(error.message) << "\n";
    return kExitFailed;
  };
  const auto alone = TakeDataDir(opened->settings.data_dir);
  if (!alone.ok()) {
    fail(alone.error());
    if (alone.error().code == ErrorCode::kConflict) {
      err << "It makes room by itself above workspaces.disk_high_water; stop it to clean by "
             "hand.\n";
    }
    return kExitFailed;
  }
  const auto cleaned = CleanAll(*opened, make_workspaces, options.dry_run, out);
  return cleaned.ok() ? kExitOk : fail(cleaned.error());
}

}  // namespace swage
