#include "bot/demo/source_repo.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "config/base/process.h"
#include "config/base/text.h"

namespace swage::demo {
namespace fs = std::filesystem;
namespace {

// A first `git status` of a large repository on a cold disk takes its time.
constexpr auto kTimeLimit = std::chrono::minutes(2);

class Looker {
 public:
  Looker(ProcessRunner& processes, const fs::path& repo)
      : processes_(processes), repo_(fs::absolute(repo).lexically_normal().string()) {}

  const std::string& path() const { return repo_; }

  Result<std::string> Ask(std::vector<std::string> words) const {
    ProcessSpec spec;
    spec.argv = {"git", "-c", "core.fsmonitor=false", "--no-optional-locks", "-C", repo_};
    spec.argv.insert(spec.argv.end(), words.begin(), words.end());
    // It may belong to somebody else than the one who tries it out.
    spec.env = {{"PATH", "/usr/local/bin:/usr/bin:/bin"},
                {"HOME", "/nonexistent"},
                {"LC_ALL", "C"},
                {"GIT_CONFIG_NOSYSTEM", "1"},
                {"GIT_CONFIG_COUNT", "1"},
                {"GIT_CONFIG_KEY_0", "safe.directory"},
                {"GIT_CONFIG_VALUE_0", "*"}};
    spec.cwd = repo_;
    spec.time_limit = kTimeLimit;
    SWAGE_ASSIGN_OR_RETURN(const std::string out, RunAndCapture(processes_, spec));
    return std::string(Trim(out));
  }
  bool Holds(std::vector<std::string> words) const { return Ask(std::move(words)).ok(); }

 private:
  ProcessRunner& processes_;
  const std::string repo_;
};

Error Refusal(std::string message) {
  return MakeError(ErrorCode::kInvalid, std::move(message));
}

Result<void> CheckWhole(const Looker& repo) {
  const Result<std::string> shallow = repo.Ask({"rev-parse", "--is-shallow-repository"});
  if (!shallow.ok()) {
    return Refusal(
        fmt::format("{} is no git repository; name one with --repo, or make one there: "
                    "git init, git add, git commit",
                    repo.path()));
  }
  if (*shallow == "true") {
    return Refusal(
        fmt::format("{} is a shallow clone; get its history first: git -C {} fetch --unshallow",
                    repo.path(), repo.path()));
  }
  // Fails in a bare repository, which has no folders to be lost in.
  const Result<std::string> prefix = repo.Ask({"rev-parse", "--show-prefix"});
  if (const Result<std::string> top = repo.Ask({"rev-parse", "--show-toplevel"});
      prefix.ok() && top.ok() && !prefix->empty()) {
    return Refusal(
        fmt::format("{} is a folder inside a repository; use --repo {}", repo.path(), *top));
  }
  if (!repo.Holds({"rev-parse", "--verify", "--quiet", "HEAD^{commit}"})) {
    return Refusal(
        fmt::format("{} has no commit yet; make one first: git add, git commit", repo.path()));
  }
  return Ok();
}

std::size_t CountLines(const std::string& text) {
  const auto lines = SplitLines(text);
  return static_cast<std::size_t>(
      std::count_if(lines.begin(), lines.end(), [](const auto line) { return !line.empty(); }));
}

}  // namespace

Result<SourceRepo> LookAtRepo(const fs::path& path, const std::vector<DemoGate>& gates) {
  SWAGE_ASSIGN_OR_RETURN(const std::string supervisor, FindSupervisor());
  const auto processes = MakePosixProcessRunner(supervisor);
  const Looker repo(*processes, path);
  SWAGE_RETURN_IF_ERROR(CheckWhole(repo));
  if (gates.empty() && !repo.Holds({"cat-file", "-e", "HEAD:.swage.yml"})) {
    return Refusal(
        fmt::format("{} has no .swage.yml in its last commit; say what has to pass, for example "
                    "--gate 'tests=make test'",
                    repo.path()));
  }

  SourceRepo found;
  if (const auto changed = repo.Ask({"status", "--porcelain", "--untracked-files=no"});
      changed.ok() && !changed->empty()) {
    found.notes.push_back(fmt::format(
        "{} file(s) with changes that are not committed: the copy is without these changes",
        CountLines(*changed)));
  }
  if (!repo.Holds({"symbolic-ref", "--quiet", "HEAD"})) {
    found.notes.push_back("HEAD is detached: in the copy, its commit is the branch main");
  }
  if (repo.Holds({"cat-file", "-e", "HEAD:.gitmodules"})) {
    found.notes.push_back("submodules stay empty in the workspace: gates must do without them");
  }
  return found;
}

}  // namespace swage::demo
