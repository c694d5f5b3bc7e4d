#include "tests/crash/matrix_job.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <csignal>
#include <memory>

#include "config/base/text.h"
#include "tests/harness/box.h"
#include "tests/harness/left_behind.h"
#include "tests/harness/node_process.h"
#include "tests/harness/postgres_server.h"
#include "tests/harness/postgres_session.h"
#include "tests/harness/requests.h"
#include "tests/harness/webhook_sender.h"

namespace swage::test {
namespace {

constexpr const char* kLease = "8s";
constexpr std::string_view kForeignBranch = "swage/7-of-somebody-else";

// Two cycles for the first run; the second needs one, and takes away what was warned about.
std::string Agent() {
  return "if grep -q 'Say why' \"$1\"; then echo 42 > answer.txt; echo Because. > notes.txt; exit; "
         "fi\n" +
         TwoCycleAgent();
}

class Job {
 public:
  Job(sandbox::Dialect dialect, Cluster cluster, const std::map<std::string, std::string>& env)
      : database_(cluster == Cluster::kSqlite ? "" : *PostgresServer::Shared().NewDatabase()),
        box_(Options(dialect, cluster, database_)) {
    foreign_ = CommitForeign();
    box_.StartServerWith(env);
    if (cluster == Cluster::kPostgresTwoNodes) StartSecond();
  }

  JobResult Run() {
    const std::int64_t issue = box_.LabelledIssue("The answer is wrong");
    bool there = Await("the first pull request", [&] { return Rests("in_review|1"); });
    if (there) {
      box_.forge().Comment(box_.repo(), "ada", issue, "/swage fix Say why");
      there = Await("the end of the fix", [&] { return Rests("in_review|2"); });
    }
    if (there) {
      CheckPull();
      for (const sandbox::Pull& pull : box_.Pulls()) {
        Expect(box_.forge().MergePull(box_.repo(), "ada", pull.number).ok(), "cannot be merged");
      }
      there = Await("the merge", [&] { return Rests("merged|2"); });
    }
    CheckIntents();
    CheckTexts();
    Expect(Rows("SELECT count(*) FROM steps WHERE outcome = 'running'") == "0",
           "a step never ended");
    StopServer();
    CheckNothingLeft();
    if (!result_.problems.empty()) {
      result_.server_log = box_.ServerLog();
      if (second_ != nullptr) result_.server_log += "--- second ---\n" + second_->Log();
    }
    return std::move(result_);
  }

 private:
  // After the first, so that what one node does for all is the first one's.
  void StartSecond() {
    NodeOptions options;
    options.name = "second";
    options.roles = "web, worker, publisher, housekeeping";
    options.lease = kLease;
    second_ = std::make_unique<NodeProcess>(box_, options);
    second_->Start();
    second_->Freeze();
  }

  // Stopping has its durable steps, too.
  void StopServer() {
    if (second_ != nullptr) return StopBoth();
    if (box_.ServerEnded()) return;
    int code = box_.StopServer();
    if (code == 128 + SIGKILL && !result_.crashed) {
      result_.crashed = true;
      box_.StartServerWith({});
      code = box_.StopServer();
    }
    Expect(code == 0, "the server's exit code");
  }

  void StopBoth() {
    if (!box_.ServerEnded()) {
      const int code = box_.StopServer();
      result_.crashed = result_.crashed || code == 128 + SIGKILL;
      Expect(code == 0 || code == 128 + SIGKILL, "the first server's exit code");
    } else {
      result_.crashed = true;  // at the latest, after the last look at it
    }
    second_->Thaw();
    Expect(second_->Stop() == 0, "the second server's exit code");
  }

  static BoxOptions Options(sandbox::Dialect dialect, Cluster cluster,
                            const std::string& database) {
    BoxOptions options;
    if (!database.empty()) options.extra_config = "store: " + database + "\n";
    if (cluster == Cluster::kPostgresTwoNodes) {
      options.extra_config += "node: {name: first, lease: " + std::string(kLease) + "}\n";
    }
    options.dialect = dialect;
    options.files = AnswerRepo();
    options.agent = Agent();
    options.start = false;
    return options;
  }

  void Expect(bool holds, std::string_view otherwise) {
    if (!holds) result_.problems.emplace_back(otherwise);
  }

  std::string Rows(const std::string& sql) {
    return database_.empty() ? box_.Query(sql) : PostgresRows(sql);
  }

  // In the form of Box::Query.
  std::string PostgresRows(const std::string& sql) {
    if (session_ == nullptr) session_ = std::make_unique<PostgresSession>(database_);
    const auto rows = session_->Query(sql);
    Expect(rows.ok(), rows.ok() ? "" : rows.error().message);
    return rows.ok() ? *rows : "";
  }

  // I11: in the bot's own name space, and not its own.
  std::string CommitForeign() {
    const auto made = box_.forge().CommitToBranch(box_.repo(), "ada", kForeignBranch,
                                                  {{"foreign.txt", "mine\n"}}, "Mine");
    Expect(made.ok(), "no foreign branch");
    return made.ok() ? *made : "";
  }

  // A server that died is started again, and what it never acknowledged is sent to it again, as
  // the forge's own page would.
  void KeepAlive() {
    if (!box_.ServerEnded() || (second_ != nullptr && result_.crashed)) return;
    Expect(!result_.crashed, "the server died again");
    result_.crashed = true;
    CheckIntents();
    if (second_ != nullptr) return TakeOver();
    box_.StartServerWith({});
    box_.forge().WaitForWebhooks();
    for (const sandbox::Delivery& delivery : box_.forge().Deliveries()) {
      if (delivery.status / 100 != 2) box_.forge().Redeliver(delivery.id);
    }
  }

  // As when a balancer sends to the node that is left what it could not bring to the other.
  void TakeOver() {
    second_->Thaw();
    box_.forge().WaitForWebhooks();
    for (const sandbox::Delivery& delivery : box_.forge().Deliveries()) {
      if (delivery.status / 100 == 2) continue;
      // A 503 asks to come again, as every forge's page does.
      const bool taken = box_.WaitFor([&] {
        RawHttp connection(second_->hooks_port());
        return Post(connection, {delivery.headers, delivery.payload}) / 100 == 2;
      });
      Expect(taken, "the second server does not take what the first missed");
    }
    box_.forge().AddWebhook(box_.repo(),
                            fmt::format("http://127.0.0.1:{}/hooks/box", second_->hooks_port()),
                            box_.webhook_secret());
  }

  bool Await(const std::string& what, const std::function<bool()>& condition) {
    const auto waits = [&] {
      return box_.WaitFor([&] {
        KeepAlive();
        return result_.problems.empty() ? condition() : true;
      });
    };
    // What a dead node held is another's when the lease or the hold is over, not before.
    const bool came = waits() || (second_ != nullptr && waits());
    if (!came) {
      Expect(
          false,
          "never came: " + what + "; tasks: " + Rows("SELECT state, stage, reason FROM tasks") +
              "; deliveries: " + Rows("SELECT event, state, error FROM deliveries") +
              "; effects: " + Rows("SELECT kind, state, error FROM effects WHERE state <> 'done'"));
    }
    return came && result_.problems.empty();
  }

  // The task is there, and nothing is left to decide or to tell.
  bool Rests(const std::string& state_and_run) {
    const bool served = second_ != nullptr || !box_.ServerEnded();
    return served && box_.forge().WaitForWebhooks(std::chrono::milliseconds(0)) &&
           Rows(
               "SELECT state, run, (SELECT count(*) FROM deliveries WHERE state = 'pending')"
               " + (SELECT count(*) FROM effects WHERE state = 'pending') FROM tasks") ==
               state_and_run + "|0";
  }

  // I1, I4, I7, I11 and the result.
  void CheckPull() {
    const std::vector<sandbox::Pull> pulls = box_.Pulls();
    Expect(pulls.size() == 1, fmt::format("{} pull requests", pulls.size()));
    if (pulls.empty()) return;
    const sandbox::Pull& pull = pulls.front();
    const auto holds = [&](const char* file, const char* text) {
      const auto found = box_.forge().ReadFileAt(box_.repo(), pull.head_ref, file);
      return found.ok() && *found == text;
    };
    Expect(holds("answer.txt", "42\n") && holds("notes.txt", "Because.\n"),
           "the branch does not hold the result");
    const std::size_t reviews = box_.ReviewBodies(pull).size();
    Expect(reviews == 2, fmt::format("{} reviews", reviews));
    Expect(box_.OpenLineComments(pull).empty(), "a finding that is gone is not resolved");
    Expect(Rows("SELECT checkpoint FROM tasks") == pull.head_sha &&
               Rows("SELECT pushed FROM tasks") == pull.head_sha,
           "the pull request's head is not what was tested");
    const auto branches = box_.forge().Branches(box_.repo());
    Expect(branches.size() == 3, fmt::format("{} branches", branches.size()));
    const auto foreign = branches.find(std::string(kForeignBranch));
    Expect(foreign != branches.end() && foreign->second == foreign_, "a foreign branch was moved");
    Expect(branches.at("main") == Rows("SELECT base_sha FROM tasks"), "main was moved");
  }

  // I4: whatever has a marker is there once.
  void CheckTexts() {
    std::map<std::string, int> seen;
    for (const std::string& text : box_.BotTexts()) {
      static const RE2 kMarker("(<!-- swage:[^>]* -->)");
      std::string marker;
      if (RE2::PartialMatch(text, kMarker, &marker)) ++seen[marker];
    }
    for (const auto& [marker, times] : seen) {
      Expect(times == 1, fmt::format("{} times: {}", times, marker));
    }
    Expect(seen.size() >= 4, fmt::format("only {} marked texts", seen.size()));
  }

  // When the first effect of each kind was wished for.
  std::map<std::string, std::int64_t> FirstIntents() {
    const std::string rows = Rows("SELECT kind, min(created_at_us) FROM effects GROUP BY kind");
    std::map<std::string, std::int64_t> first;
    for (const std::string_view row : Split(rows, '\n')) {
      const std::size_t bar = row.find('|');
      if (bar == row.npos) continue;
      first[std::string(row.substr(0, bar))] = std::stoll(std::string(row.substr(bar + 1)));
    }
    return first;
  }

  // I3: when the forge was asked to write, the wish was in the database.
  void CheckIntents() {
    using Kinds = std::vector<std::string>;
    static const std::vector<std::pair<const char*, Kinds>> kKinds = {
        {"/git-receive-pack", {"push"}},
        {"/(pulls|merge_requests)(/[0-9]+)?$", {"pull_request"}},
        {"/(reactions|award_emoji)", {"reaction"}},
        {"/(statuses|check-runs)", {"status"}},
        {"/(reviews|discussions)", {"review", "resolve"}},
        {"/graphql", {"review", "resolve", "pull_request"}},
        {"/merge_requests/[0-9]+/(notes|draft_notes)", {"review", "resolve", "comment"}},
        {"/pulls/[0-9]+/comments", {"review", "resolve"}},
        {"/(comments|notes)", {"comment", "sticky"}},
    };
    const std::map<std::string, std::int64_t> first = FirstIntents();
    for (const sandbox::LoggedRequest& request : box_.forge().Requests()) {
      if (request.actor != "swage-bot" || !Mutates(request)) continue;
      const std::string target = request.target.substr(0, request.target.find('?'));
      const auto kinds = std::ranges::find_if(
          kKinds, [&](const auto& k) { return RE2::PartialMatch(target, k.first); });
      if (kinds == kKinds.end()) {
        Expect(false, "a write of no known kind: " + request.method + " " + target);
        continue;
      }
      const bool wished = std::ranges::any_of(kinds->second, [&](const std::string& kind) {
        const auto it = first.find(kind);
        return it != first.end() && it->second <= ToMicros(request.at);
      });
      Expect(wished, "written without an intent: " + request.method + " " + target);
    }
  }

  // I8: after the end of everything.
  void CheckNothingLeft() {
    // The files of a node that stays dead are its own.
    const bool stays_dead = second_ != nullptr && result_.crashed;
    const auto& data_dir = stays_dead ? second_->data_dir() : box_.data_dir();
    for (const std::string& left : LeftInDataDir(data_dir)) Expect(false, left);
    // What a killed server leaves is ended by its supervisor, a moment later.
    std::vector<std::string> processes;
    box_.WaitFor([&] { return (processes = ProcessesOf(box_.dir())).empty(); });
    for (const std::string& left : processes) Expect(false, left);
  }

  JobResult result_;
  const std::string database_;  ///< empty: the embedded one
  std::unique_ptr<PostgresSession> session_;
  Box box_;
  std::unique_ptr<NodeProcess> second_;
  std::string foreign_;
};

}  // namespace

JobResult RunMainJob(sandbox::Dialect dialect, Cluster cluster,
                     const std::map<std::string, std::string>& env) {
  return Job(dialect, cluster, env).Run();
}

}  // namespace swage::test
