#include "pipeline/isolation/probe.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "config/base/files.h"
#include "config/settings.h"

namespace swage {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kProbeLimit{20};
constexpr std::string_view kProof = "entered";

}  // namespace

Result<std::unique_ptr<ScratchCell>> ScratchCell::Make(const std::optional<FileOwner>& owner) {
  std::unique_ptr<ScratchCell> scratch(new ScratchCell);
  SWAGE_ASSIGN_OR_RETURN(scratch->folder_, MakeTempDir("swage-cell-"));
  Cell& cell = scratch->cell_;
  cell.name = scratch->folder_.filename().string();
  cell.workspace = scratch->folder_ / "work";
  cell.home = scratch->folder_ / "home";
  cell.tmp = scratch->folder_ / "tmp";
  for (const fs::path& folder : {cell.workspace, cell.home, cell.tmp}) {
    SWAGE_RETURN_IF_ERROR(MakeDirs(folder));
    if (owner && lchown(folder.c_str(), owner->uid, owner->gid) != 0) {
      return MakeError(ErrorCode::kInternal,
                       fmt::format("cannot give {} to user {}: {}", folder.string(), owner->uid,
                                   std::strerror(errno)));
    }
  }
  return scratch;
}

ScratchCell::~ScratchCell() {
  if (!folder_.empty()) (void)RemoveTree(folder_).ok();
}

ProcessSpec SpecIn(const Cell& cell, std::vector<std::string> argv) {
  ProcessSpec spec;
  spec.argv = std::move(argv);
  spec.env = {{"PATH", std::string(kCommandPath)},
              {"HOME", cell.home.string()},
              {"TMPDIR", cell.tmp.string()},
              {"LANG", "C.UTF-8"}};
  spec.cwd = cell.workspace.string();
  return spec;
}

Result<void> TryEnclosure(const std::optional<FileOwner>& owner, const MakeRunner& make_runner) {
  SWAGE_ASSIGN_OR_RETURN(const auto scratch, ScratchCell::Make(owner));
  SWAGE_ASSIGN_OR_RETURN(const auto runner, make_runner(scratch->Get()));
  ProcessSpec spec =
      SpecIn(scratch->Get(), {"/bin/sh", "-c", fmt::format("echo {} > proof", kProof)});
  spec.time_limit = kProbeLimit;
  spec.network = NetworkUse::kNone;
  const auto ran = RunAndCapture(*runner, spec);
  if (!ran.ok()) return ran.error();
  const auto proof = ReadFileBeneath(scratch->Get().workspace, "proof");
  if (proof.ok() && proof->starts_with(kProof)) return Ok();
  return MakeError(ErrorCode::kInternal, "what a command wrote into its workspace is not there");
}

}  // namespace swage
