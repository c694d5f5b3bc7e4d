// What the forge must show at the end: see checks.h.
#include <fmt/format.h>
#include <re2/re2.h>

#include <map>
#include <set>
#include <tuple>

#include "config/base/text.h"
#include "tests/soak/checks.h"

namespace swage::soak {
namespace {

using sandbox::Pull;

// A task as its row tells it.
struct Told {
  std::string checkpoint;
  std::string pushed;
};
using Tasks = std::map<std::pair<std::string, std::int64_t>, Told>;
// By repository, issue and kind of effect: when the first one was wished for.
using Intents = std::map<std::tuple<std::string, std::int64_t, std::string>, std::int64_t>;

std::vector<std::vector<std::string>> Cells(const std::string& rows) {
  std::vector<std::vector<std::string>> cells;
  for (const std::string_view row : Split(rows, '\n')) {
    if (row.empty()) continue;
    std::vector<std::string> line;
    for (const std::string_view cell : Split(row, '|')) line.emplace_back(cell);
    cells.push_back(std::move(line));
  }
  return cells;
}

Tasks ReadTasks(Field& field) {
  Tasks tasks;
  for (const auto& row : Cells(field.Query("SELECT r.path, t.issue_number, t.checkpoint, t.pushed"
                                           " FROM tasks t JOIN repos r ON r.id = t.repo"))) {
    tasks[{row[0], std::stoll(row[1])}] = {row[2], row[3]};
  }
  return tasks;
}

Intents ReadIntents(Field& field) {
  Intents intents;
  for (const auto& row : Cells(
           field.Query("SELECT r.path, t.issue_number, e.kind, min(e.created_at_us) FROM effects e"
                       " JOIN tasks t ON t.id = e.task_id JOIN repos r ON r.id = t.repo"
                       " GROUP BY r.path, t.issue_number, e.kind"))) {
    intents[{row[0], std::stoll(row[1]), row[2]}] = std::stoll(row[3]);
  }
  return intents;
}

class RepoCheck {
 public:
  RepoCheck(Field& field, std::string repo, const Tasks& tasks, const Intents& intents,
            Problems& problems)
      : field_(field),
        repo_(std::move(repo)),
        tasks_(tasks),
        intents_(intents),
        problems_(problems) {
    for (Pull& pull : field_.box().forge().Pulls(repo_)) {
      static const RE2 kIssue("^swage/([0-9]+)-");
      std::int64_t issue = 0;
      Expect(RE2::PartialMatch(pull.head_ref, kIssue, &issue), "I11: pushed " + pull.head_ref);
      pulls_[issue].push_back(std::move(pull));
    }
  }

  void Run() {
    const auto issues = field_.box().forge().Issues(repo_);
    for (const sandbox::Issue& issue : issues) CheckIssue(issue);
    Expect(pulls_.size() == issues.size(), "I1: a pull request without an issue");
    CheckRefs();
    CheckMarkers();
  }

 private:
  void Expect(bool holds, std::string_view otherwise) {
    if (!holds) problems_.push_back(fmt::format("{}: {}", repo_, otherwise));
  }

  void ExpectIntent(const sandbox::Issue& issue, const char* kind, WallTime written) {
    const auto intent = intents_.find({repo_, issue.number, kind});
    Expect(intent != intents_.end() && intent->second <= ToMicros(written),
           fmt::format("I3: issue {}: {} without an earlier intent", issue.number, kind));
  }

  void CheckIssue(const sandbox::Issue& issue) {
    const std::string name = fmt::format("issue {}", issue.number);
    std::vector<const sandbox::Note*> said;
    for (const sandbox::Note& note : issue.notes) {
      if (!note.system) said.push_back(&note);
    }
    Expect(said.size() == 1, fmt::format("I4: {}: {} comments", name, said.size()));
    for (const sandbox::Note* note : said) {
      Expect(note->body.find("in review") != note->body.npos, name + ": says " + note->body);
      ExpectIntent(issue, "sticky", note->created_at);
    }
    const auto pulls = pulls_.find(issue.number);
    const std::size_t count = pulls == pulls_.end() ? 0 : pulls->second.size();
    Expect(count == 1, fmt::format("I1: {}: {} pull requests", name, count));
    if (count == 1) CheckPull(issue, pulls->second.front());
  }

  void CheckPull(const sandbox::Issue& issue, const Pull& pull) {
    const std::string name = fmt::format("issue {}, pull request {}", issue.number, pull.number);
    Expect(pull.open && field_.box().forge().LoginOf(pull.author) == "swage-bot",
           name + ": is not the bot's, or not open");
    ExpectIntent(issue, "pull_request", pull.created_at);
    const auto answer =
        field_.box().forge().ReadFileAt(repo_, pull.head_ref, AnswerFile(issue.number));
    Expect(answer.ok() && *answer == "42\n", name + ": does not hold the result");
    const auto told = tasks_.find({repo_, issue.number});
    Expect(told != tasks_.end() && told->second.checkpoint == pull.head_sha &&
               told->second.pushed == pull.head_sha,
           "I7: " + name + ": its head is not what was tested");
    const auto reviews = field_.box().ReviewBodies(pull).size();
    Expect(reviews == 1, fmt::format("I4: {}: {} reviews", name, reviews));
    for (const sandbox::Review& review : pull.reviews) {
      ExpectIntent(issue, "review", review.submitted_at);
    }
    heads_[pull.head_ref] = pull.head_sha;
  }

  // I11: main and the foreign branch are where they were, and all else is a pull request's.
  void CheckRefs() {
    auto branches = field_.box().forge().Branches(repo_);
    for (const auto& [branch, sha] : field_.refs_before(repo_)) {
      Expect(branches[branch] == sha, "I11: moved " + branch);
      branches.erase(branch);
    }
    Expect(branches == heads_,
           fmt::format("I11: {} branches of {} pull requests", branches.size(), heads_.size()));
  }

  // I4: whatever has a marker is there once.
  void CheckMarkers() {
    static const RE2 kMarker("(<!-- swage:[^>]* -->)");
    std::map<std::string, int> seen;
    for (const std::string& text : field_.box().BotTextsIn(repo_)) {
      std::string marker;
      if (RE2::PartialMatch(text, kMarker, &marker)) ++seen[marker];
    }
    for (const auto& [marker, times] : seen) {
      Expect(times == 1, fmt::format("I4: {} times: {}", times, marker));
    }
    // The comment, the pull request's description and its review.
    Expect(seen.size() >= 3 * pulls_.size(), fmt::format("only {} marked texts", seen.size()));
  }

  Field& field_;
  const std::string repo_;
  const Tasks& tasks_;
  const Intents& intents_;
  Problems& problems_;
  std::map<std::int64_t, std::vector<Pull>> pulls_;
  std::map<std::string, std::string> heads_;
};

}  // namespace

Problems CheckForge(Field& field) {
  Problems problems;
  const Tasks tasks = ReadTasks(field);
  const Intents intents = ReadIntents(field);
  for (const std::string& repo : field.repos()) {
    RepoCheck(field, repo, tasks, intents, problems).Run();
  }
  return problems;
}

}  // namespace swage::soak
