// What each level of isolation adds to the start of a command: /bin/true through the runner of the
// level, one level after the other in every round. Called by isolation.sh; prints its report lines.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

#include "config/base/files.h"
#include "pipeline/isolation/isolations.h"
#include "pipeline/isolation/probe.h"

namespace swage {
namespace {

using Steady = std::chrono::steady_clock;

constexpr int kRounds = 200;

struct Contestant {
  std::string name;
  std::unique_ptr<ScratchCell> scratch;
  std::unique_ptr<ProcessRunner> runner;
  std::vector<double> times;
};

double TimeOnce(const Contestant& contestant) {
  ProcessSpec spec = SpecIn(contestant.scratch->Get());
  spec.argv = {"/bin/true"};
  spec.network = NetworkUse::kNone;
  const Steady::time_point begun = Steady::now();
  SWAGE_CHECK(contestant.runner->Run(spec, {}, {}).value().Succeeded());
  return std::chrono::duration<double, std::milli>(Steady::now() - begun).count();
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

int Bench() {
  const auto processes = MakePosixProcessRunner(FindSupervisor().value());
  const TempDir state("swage-bench-");
  IsolationOptions options;
  options.enter = FindHelper("swage-enter").value();
  options.state = state.path() / "isolation";
  const auto isolations = MakeIsolations(options, *processes);

  std::vector<Contestant> contestants;
  contestants.push_back({"plain",
                         ScratchCell::Make(std::nullopt).value(),
                         MakePosixProcessRunner(FindSupervisor().value()),
                         {}});
  for (const IsolationLevel level : {IsolationLevel::kWorktree, IsolationLevel::kSandbox}) {
    Isolation& isolation = isolations->At(level);
    if (!isolation.Here().available) {
      std::fprintf(stderr, "bench: %s skipped: %s\n", std::string(Name(level)).c_str(),
                   isolation.Here().why_not.c_str());
      continue;
    }
    auto scratch = ScratchCell::Make(isolation.Owner()).value();
    auto runner = isolation.Enclose(scratch->Get()).value();
    contestants.push_back({std::string(Name(level)), std::move(scratch), std::move(runner), {}});
  }
  for (int round = 0; round < kRounds; ++round) {
    for (Contestant& contestant : contestants) contestant.times.push_back(TimeOnce(contestant));
  }
  for (const Contestant& contestant : contestants) {
    std::printf("figure isolation_start_%s_ms %.2f ms\n", contestant.name.c_str(),
                Median(contestant.times));
  }
  return 0;
}

}  // namespace
}  // namespace swage

int main() {
  return swage::Bench();
}
