// Trying a level out, in a cell of its own, before any task depends on it.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "pipeline/isolation/isolation.h"

namespace swage {

using MakeRunner = std::function<Result<std::unique_ptr<ProcessRunner>>(const Cell&)>;

/// A cell in a temporary folder, which goes with it. Its folders belong to `owner`.
class ScratchCell {
 public:
  static Result<std::unique_ptr<ScratchCell>> Make(const std::optional<FileOwner>& owner);
  ~ScratchCell();
  ScratchCell(const ScratchCell&) = delete;
  ScratchCell& operator=(const ScratchCell&) = delete;
  const Cell& Get() const { return cell_; }
  const std::filesystem::path& Folder() const { return folder_; }

 private:
  ScratchCell() = default;
  std::filesystem::path folder_;
  Cell cell_;
};

/// A command in the workspace of a scratch cell, with the environment of its commands.
ProcessSpec SpecIn(const Cell& cell, std::vector<std::string> argv = {});

/// Whether a command that writes into its workspace works there. Blocks for seconds at most.
Result<void> TryEnclosure(const std::optional<FileOwner>& owner, const MakeRunner& make_runner);

}  // namespace swage
