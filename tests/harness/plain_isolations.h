// PlainIsolations: every level at once, and none encloses anything: commands go to the given runner
// as they are. Each Enclose is recorded.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "pipeline/isolation/isolations.h"

namespace swage {

class PlainIsolation final : public Isolation {
 public:
  PlainIsolation(IsolationLevel level, ProcessRunner& processes)
      : level_(level), processes_(processes) {
    ability_.available = true;
  }
  IsolationLevel Level() const override { return level_; }
  const Ability& Here() const override { return ability_; }
  std::optional<FileOwner> Owner() const override { return std::nullopt; }
  Result<std::unique_ptr<ProcessRunner>> Enclose(const Cell& cell) override {
    cells.push_back(cell);
    return std::unique_ptr<ProcessRunner>(std::make_unique<Passage>(processes_));
  }

  std::vector<Cell> cells;  ///< in the order of the calls

 private:
  class Passage final : public ProcessRunner {
   public:
    explicit Passage(ProcessRunner& processes) : processes_(processes) {}
    Result<ProcessResult> Run(const ProcessSpec& spec, const Sink& sink,
                              std::stop_token stop) override {
      return processes_.Run(spec, sink, std::move(stop));
    }

   private:
    ProcessRunner& processes_;
  };

  const IsolationLevel level_;
  ProcessRunner& processes_;
  Ability ability_;
};

inline Isolations PlainIsolations(ProcessRunner& processes) {
  std::vector<std::unique_ptr<Isolation>> levels;
  for (const IsolationLevel level : kIsolationLevels) {
    levels.push_back(std::make_unique<PlainIsolation>(level, processes));
  }
  return Isolations(std::move(levels));
}

}  // namespace swage
