// What a forge may do to the outbox: fail, be slow, refuse for its limits, lose replies, refuse the
// token, hold a branch of that name (X6 to X9, X26, X27, X29; I9, I10). The real server beside a
// sandbox forge that keeps its own record of every request.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <re2/re2.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "pipeline/task.h"
#include "tests/e2e/dialects.h"
#include "tests/harness/raw_http.h"
#include "tests/harness/requests.h"

namespace swage::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
namespace fs = std::filesystem;

// With marks of the overlay and links that lead nowhere.
void CopyWhole(const fs::path& from, const fs::path& to) {
  const std::string command = "cp -a " + from.string() + " " + to.string();
  ASSERT_EQ(std::system(command.c_str()), 0) << command;
}

/// What was on its way when an answer was given may still arrive.
constexpr auto kInFlight = 500ms;

class OutboxFault : public DialectTest {
 protected:
  BoxOptions Answering(const std::string& forge_config = "") const {
    BoxOptions options = Options(AnswerRepo(), TwoCycleAgent());
    options.forge_config = forge_config;
    return options;
  }
  bool IsGitHub() const { return GetParam() == sandbox::Dialect::kGitHub; }
  /// The API, without git.
  bool IsGitLab() const { return GetParam() == sandbox::Dialect::kGitLab; }
  std::string Api() const { return IsGitHub() ? "^/(repos|graphql|user)" : "^/api/v[14]/"; }
  /// What a POST to it writes: GraphQL is asked by POST, too.
  std::string Writes() const { return IsGitHub() ? "^/(repos|user)" : "^/api/v[14]/"; }
  std::string CreatePull() const { return IsGitLab() ? "/merge_requests$" : "/pulls$"; }

  static void Misbehave(Box& box, sandbox::FaultRule rule) {
    const auto added = box.forge().faults().Add(std::move(rule));
    ASSERT_TRUE(added.ok()) << added.error().message;
  }
  static sandbox::FaultRule Rule(sandbox::FaultAction action, const std::string& path, int times,
                                 const std::string& method = "") {
    sandbox::FaultRule rule;
    rule.action = action;
    rule.path = path;
    rule.times = times;
    rule.method = method;
    return rule;
  }

  /// Requests of the bot's REST interface, oldest first.
  std::vector<sandbox::LoggedRequest> ApiRequests(Box& box) const {
    const RE2 api(Api());
    std::vector<sandbox::LoggedRequest> found;
    for (const auto& request : box.forge().Requests()) {
      if (RE2::PartialMatch(request.target, api)) found.push_back(request);
    }
    std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.at < b.at; });
    return found;
  }
  static int Times(const std::string& text, std::string_view what) {
    int times = 0;
    for (std::size_t at = text.find(what); at != text.npos; at = text.find(what, at + 1)) ++times;
    return times;
  }
  static void ExpectOneOfEverything(Box& box, std::int64_t issue) {
    ASSERT_TRUE(box.WaitForSticky(issue, "in review")) << box.Sticky(issue);
    ASSERT_THAT(box.Pulls(), SizeIs(1));
    const sandbox::Pull pull = box.Pulls().front();
    EXPECT_EQ(*box.forge().ReadFileAt(box.repo(), pull.head_ref, "answer.txt"), "42\n");
    EXPECT_THAT(box.ReviewBodies(pull), SizeIs(1));
    EXPECT_THAT(box.OpenLineComments(pull), SizeIs(1));
    EXPECT_THAT(box.NotesBy("swage-bot", issue), SizeIs(1));
    EXPECT_THAT(box.forge().GetIssue(box.repo(), issue)->awards, SizeIs(1));
    EXPECT_THAT(box.forge().Statuses(box.repo(), pull.head_sha), SizeIs(2));
    EXPECT_THAT(box.forge().Branches(box.repo()), SizeIs(2));
  }
};

// The breaker opens after five failures in a row, lets one probe through after each pause, doubles
// the pause, and closes when the host works again.
TEST_P(OutboxFault, X6_AFailingHostIsLeftAloneProbedAndComesBack) {
  Box box(Answering("    pause: 12s\n"));  // a twelfth of it for hosts: 1 s, 2 s, ...
  sandbox::FaultRule down = Rule(sandbox::FaultAction::kStatus, Writes(), -1, "POST");
  down.status = 503;
  Misbehave(box, down);
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  box.forge().Comment(box.repo(), "ada", issue, "/swage help");
  const auto pauses = [&] {
    const std::string n = box.Query("SELECT pauses FROM paces");
    return n.empty() ? 0 : std::stoi(n);
  };
  ASSERT_TRUE(box.WaitFor([&] { return pauses() == 1; }));
  const std::string row = box.Query("SELECT since_at_us, paused_until_at_us FROM paces");
  ASSERT_TRUE(box.WaitFor([&] { return pauses() >= 2; }));
  const std::size_t bar = row.find('|');
  const WallTime began = FromMicros(std::stoll(row.substr(0, bar)));
  const WallTime until = FromMicros(std::stoll(row.substr(bar + 1)));
  EXPECT_GE(until - began, 1s);
  for (const auto& request : ApiRequests(box)) {
    EXPECT_FALSE(request.at > began + kInFlight && request.at < until)
        << request.method << " " << request.target << " "
        << (request.at - began) / std::chrono::milliseconds(1) << " ms into the pause";
  }
  const std::string second = box.Query("SELECT paused_until_at_us FROM paces WHERE pauses = 2");
  if (!second.empty()) {
    EXPECT_GE(FromMicros(std::stoll(second)) - until, 2s) << "twice as long";
  }
  box.forge().faults().Clear();
  ASSERT_TRUE(box.WaitForSticky(issue, "in review")) << box.Sticky(issue);
  EXPECT_THAT(box.Pulls(), SizeIs(1));
  EXPECT_TRUE(box.WaitFor([&] { return box.NotesBy("swage-bot", issue).size() == 2; }));
  EXPECT_EQ(Times(box.ServerLog(), "forge paused: its host fails"), 1);
  EXPECT_EQ(Times(box.ServerLog(), "the forge works again"), 1);
  EXPECT_EQ(box.Query("SELECT breaker, pauses FROM paces"), "closed|0");
}

// The forge answers too late: whether it did what it was asked is unknown, and it did.
TEST_P(OutboxFault, X6_ATimeoutMakesNothingTwice) {
  Box box(Answering("    timeout: 1s\n    pause: 2s\n"));
  for (const std::string& path : {CreatePull(), std::string("/issues/[0-9]+/(comments|notes)$")}) {
    sandbox::FaultRule slow = Rule(sandbox::FaultAction::kDelay, path, 1, "POST");
    slow.delay_ms = 2'500;
    Misbehave(box, slow);
  }
  ExpectOneOfEverything(box, box.LabelledIssue("The answer is wrong"));
  EXPECT_THAT(box.ServerLog(), HasSubstr("no complete answer within"));
}

TEST_P(OutboxFault, X7_AnOrderedRetryTimeIsKeptByEverythingThatIsSent) {
  for (const auto action : {sandbox::FaultAction::kRateLimit, sandbox::FaultAction::kPrimaryLimit,
                            sandbox::FaultAction::kSecondaryLimit}) {
    SCOPED_TRACE(static_cast<int>(action));
    Box box(Answering());
    sandbox::FaultRule limit = Rule(action, "/issues/[0-9]+/(comments|notes)$", 1, "POST");
    limit.retry_after_s = 2;
    Misbehave(box, limit);
    ExpectOneOfEverything(box, box.LabelledIssue("The answer is wrong"));
    const auto requests = ApiRequests(box);
    const auto refused = std::find_if(requests.begin(), requests.end(), [](const auto& r) {
      return r.status == 429 || r.status == 403;
    });
    ASSERT_NE(refused, requests.end());
    // A reset is a time in whole seconds, so it may be a second less than asked for.
    const auto least = action == sandbox::FaultAction::kPrimaryLimit ? 1s : 2s;
    bool came_back = false;
    for (auto it = refused + 1; it != requests.end(); ++it) {
      const auto gap = it->at - refused->at;
      if (gap < kInFlight) continue;
      EXPECT_GE(gap, least) << it->method << " " << it->target;
      came_back = true;
    }
    EXPECT_TRUE(came_back);
  }
}

// A forge that does not say for how long is left alone for `pause`, then for twice as long each
// time, although it goes on to answer reads.
TEST_P(OutboxFault, X7_ALimitWithoutATimeWaitsLongerEachTime) {
  BoxOptions options = Answering("    pause: 1s\n");
  options.extra_config = "limits: {publishers: 1}\n";  // one request at a time
  Box box(options);
  sandbox::FaultRule limit = Rule(sandbox::FaultAction::kSecondaryLimit, Writes(), 3, "POST");
  limit.retry_after_s = 0;
  Misbehave(box, limit);
  ExpectOneOfEverything(box, box.LabelledIssue("The answer is wrong"));
  std::vector<WallTime> refused;
  for (const auto& request : ApiRequests(box)) {
    // Gitea refuses some questions, too, to whom is no administrator.
    if (request.status == 403 && request.method == "POST") refused.push_back(request.at);
  }
  ASSERT_THAT(refused, SizeIs(3));
  std::size_t later = 0;
  for (const auto& request : ApiRequests(box)) {
    for (std::size_t i = 0; i < refused.size(); ++i) {
      const auto gap = request.at - refused[i];
      if (gap <= kInFlight) continue;
      EXPECT_GE(gap, 1s * (1 << i)) << request.method << " " << request.target;
      ++later;
    }
  }
  EXPECT_GT(later, 0u);
  EXPECT_EQ(Times(box.ServerLog(), "forge paused: it asks the bot to wait"), 1);
}

TEST_P(OutboxFault, X7_WritesKeepTheirDistance) {
  BoxOptions options = Answering();
  options.write_interval = "300ms";
  Box box(options);
  const WallTime began = SystemClock().Now();
  ExpectOneOfEverything(box, box.LabelledIssue("The answer is wrong"));
  // The way to the forge is not equally long each time, so what counts is that none is early.
  int earlier = 0;
  for (const auto& request : ApiRequests(box)) {
    if (!Mutates(request)) continue;
    EXPECT_GE(request.at - began, earlier * 300ms) << "write " << earlier;
    ++earlier;
  }
  EXPECT_GT(earlier, 4);
}

// X8, X9: each kind of write once with a reply that is lost after the forge did it.
TEST_P(OutboxFault, X8_X9_ALostReplyIsAdoptedWhateverWasWritten) {
  Box box(Answering("    pause: 2s\n"));
  for (const std::string& path :
       {CreatePull(), std::string("/issues/[0-9]+/(comments|notes)$"), std::string("/statuses/"),
        std::string("/(reactions|award_emoji)$"),
        std::string("/pulls/[0-9]+/reviews$|/merge_requests/[0-9]+/discussions$"),
        std::string("/merge_requests/[0-9]+/notes$")}) {
    Misbehave(box, Rule(sandbox::FaultAction::kResetAfter, path, 1, "POST"));
  }
  Misbehave(box, Rule(sandbox::FaultAction::kResetAfter, "git-receive-pack$", 1, "POST"));
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ExpectOneOfEverything(box, issue);
  EXPECT_GE(Times(box.ServerLog(), "effect failed; will be tried again"), 5);
}

TEST_P(OutboxFault, X26_AForeignBranchIsLeftAloneAndTheTaskSaysWhy) {
  Box box(Answering());
  const std::int64_t issue =
      box.forge().CreateIssue(box.repo(), "ada", "The answer is wrong", "Please.");
  const std::string branch = BranchName("swage/", issue, 1, "The answer is wrong");
  const std::string theirs =
      box.forge().CommitToBranch(box.repo(), "ada", branch, {{"mine.txt", "x\n"}}, "mine").value();
  box.forge().AddLabel(box.repo(), "ada", issue, "swage");
  ASSERT_TRUE(box.WaitForSticky(issue, "commits that are not the bot's")) << box.Sticky(issue);
  EXPECT_THAT(box.Sticky(issue), HasSubstr("then retry"));
  EXPECT_EQ(box.forge().Branches(box.repo()).at(branch), theirs);
  EXPECT_THAT(box.Pulls(), IsEmpty());
}

TEST_P(OutboxFault, X27_ARefusedTokenKeepsTheTasksAndIsOneAlarm) {
  Box box(Answering("    pause: 500ms\n"));
  const std::string go = (box.dir() / "go").string();
  const std::string begun = (box.dir() / "begun").string();
  box.SetAgent("touch " + begun + "; until [ -e " + go + " ]; do sleep 0.02; done\n" +
               TwoCycleAgent());
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForFile(begun));
  sandbox::FaultRule revoked = Rule(sandbox::FaultAction::kStatus, Api(), -1);
  revoked.status = 401;
  Misbehave(box, revoked);
  ASSERT_TRUE(WriteFileAtomic(go, "").ok());
  ASSERT_TRUE(box.WaitForLog("forge paused: it refuses the bot's credential"));
  ASSERT_TRUE(box.WaitFor([&] { return box.Query("SELECT pauses >= 3 FROM paces") == "1"; }));
  const std::string page = Exchange(
      box.dashboard_port(), "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(page, HasSubstr("box is left alone"));
  EXPECT_THAT(page, HasSubstr("Check the bot"));
  EXPECT_EQ(box.Query("SELECT state FROM tasks"), "running");
  EXPECT_EQ(box.Query("SELECT count(*) FROM effects WHERE state = 'failed'"), "0");
  box.forge().faults().Clear();
  ExpectOneOfEverything(box, issue);
  EXPECT_EQ(Times(box.ServerLog(), "forge paused: it refuses the bot's credential"), 1);
  EXPECT_EQ(Times(box.ServerLog(), "the forge works again"), 1);
}

// The database comes back from a backup made before the task, the forge holds all that was made.
TEST_P(OutboxFault, X29_ARestoredDatabaseIsRebuiltFromTheForge) {
  Box box(Answering());
  ASSERT_EQ(box.StopServer(), 0);
  const fs::path backup = box.dir() / "backup";
  CopyWhole(box.data_dir(), backup);
  box.StartServer();
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ExpectOneOfEverything(box, issue);
  const sandbox::Pull before = box.Pulls().front();

  ASSERT_EQ(box.StopServer(), 0);
  fs::remove_all(box.data_dir());
  CopyWhole(backup, box.data_dir());
  box.forge().RemoveLabel(box.repo(), "ada", issue, "swage");
  // Another result: the same one within the same second would be the same commit.
  box.SetAgent(TwoCycleAgent() + "echo again > second.txt\n");
  box.StartServer();
  box.forge().AddLabel(box.repo(), "ada", issue, "swage");
  ASSERT_TRUE(box.WaitFor([&] {
    return box.Query("SELECT state FROM tasks") == "in_review" &&
           box.Query("SELECT count(*) FROM effects WHERE state = 'pending'") == "0";
  })) << box.Sticky(issue);
  ASSERT_THAT(box.Pulls(), SizeIs(1));
  const sandbox::Pull after = box.Pulls().front();
  EXPECT_EQ(after.number, before.number);
  EXPECT_EQ(after.head_ref, before.head_ref);
  EXPECT_EQ(box.Query("SELECT pr_number FROM tasks"), std::to_string(before.number));
  EXPECT_THAT(box.NotesBy("swage-bot", issue), SizeIs(1)) << "one status comment";
  EXPECT_THAT(box.OpenLineComments(after), SizeIs(1)) << "no finding is said twice";
  EXPECT_THAT(box.forge().Branches(box.repo()), SizeIs(2));
  EXPECT_THAT(box.ServerLog(), HasSubstr("taking over the task's own branch"));
}

// The backup was made in the middle of a run whose result the forge has meanwhile: the bot knows
// its own work by its commits, and is not put off by it as by a stranger's.
TEST_P(OutboxFault, X29_ADatabaseFromTheMiddleOfARunGoesOnFromTheBotsOwnBranch) {
  Box box(Answering());
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ExpectOneOfEverything(box, issue);
  const sandbox::Pull first = box.Pulls().front();
  const auto rests = [&](const std::string& row) {
    return box.WaitFor([&] {
      return box.Query("SELECT state, run FROM tasks") == row &&
             box.Query("SELECT count(*) FROM effects WHERE state = 'pending'") == "0";
    });
  };
  const std::string begun = (box.dir() / "begun").string();
  const std::string go = (box.dir() / "go").string();
  box.SetAgent("touch " + begun + "; until [ -e " + go +
               " ]; do sleep 0.05; done\necho more > more.txt\n");
  box.CommentOnPull("ada", first.number, "/swage fix more of it");
  ASSERT_TRUE(box.WaitForFile(begun));
  box.KillServer();
  const fs::path backup = box.dir() / "backup";
  CopyWhole(box.data_dir(), backup);
  ASSERT_TRUE(WriteFileAtomic(go, "").ok());
  box.StartServer();
  ASSERT_TRUE(rests("in_review|2"));
  const sandbox::Pull second = box.Pulls().front();
  EXPECT_NE(second.head_sha, first.head_sha);

  ASSERT_EQ(box.StopServer(), 0);
  fs::remove_all(box.data_dir());
  CopyWhole(backup, box.data_dir());
  box.StartServer();
  ASSERT_TRUE(rests("in_review|2")) << box.Query("SELECT state, reason FROM tasks");
  ASSERT_THAT(box.Pulls(), SizeIs(1));
  const sandbox::Pull third = box.Pulls().front();
  EXPECT_EQ(*box.forge().ReadFileAt(box.repo(), third.head_ref, "more.txt"), "more\n");
  // Nothing was thrown away, and what is said is said of what is there.
  EXPECT_EQ(third.head_sha, second.head_sha);
  EXPECT_EQ(box.Query("SELECT checkpoint, pushed FROM tasks"),
            third.head_sha + "|" + third.head_sha);
  EXPECT_THAT(box.ServerLog(), HasSubstr("newer work of ours than the database knows of"));
  EXPECT_THAT(box.NotesBy("swage-bot", issue), SizeIs(1)) << "one status comment";
}

// A push that hangs keeps its own task waiting, and nothing else (I10).
TEST_P(OutboxFault, I10_AHungPushHoldsUpItsOwnTaskOnly) {
  BoxOptions options = Answering();
  options.extra_config = "limits: {publishers: 2}\n";
  Box box(options);
  sandbox::FaultRule hang = Rule(sandbox::FaultAction::kDelay, "git-receive-pack$", 1, "POST");
  hang.delay_ms = sandbox::Faults::kMaxDelayMs;
  Misbehave(box, hang);
  const std::int64_t stuck = box.LabelledIssue("First");
  ASSERT_TRUE(box.WaitForSticky(stuck, "publishing the result"));
  // Answers to people and the webhook endpoint are no matter of pushing.
  box.forge().Comment(box.repo(), "ada", stuck, "/swage help");
  EXPECT_TRUE(box.WaitFor([&] { return box.NotesBy("swage-bot", stuck).size() == 2; }));
  const std::int64_t other = box.LabelledIssue("Second");
  EXPECT_TRUE(box.WaitForSticky(other, "publishing the result")) << "it waits for the one pusher";
  EXPECT_THAT(box.Pulls(), IsEmpty());
  // Stopping does not wait for it either, and the next start finds both.
  EXPECT_EQ(box.StopServer(), 0);
  box.StartServer();
  EXPECT_TRUE(box.WaitForSticky(stuck, "in review"));
  EXPECT_TRUE(box.WaitForSticky(other, "in review"));
  EXPECT_THAT(box.Pulls(), SizeIs(2));
}

// With room for a second push the other task does not even notice.
TEST_P(OutboxFault, I10_AHungPushLeavesOtherTasksTheirPushes) {
  Box box(Answering());
  sandbox::FaultRule hang = Rule(sandbox::FaultAction::kDelay, "git-receive-pack$", 1, "POST");
  hang.delay_ms = sandbox::Faults::kMaxDelayMs;
  Misbehave(box, hang);
  const std::int64_t stuck = box.LabelledIssue("First");
  ASSERT_TRUE(box.WaitForSticky(stuck, "publishing the result"));
  const std::int64_t other = box.LabelledIssue("Second");
  EXPECT_TRUE(box.WaitForSticky(other, "in review"));
  EXPECT_THAT(box.Sticky(stuck), HasSubstr("publishing the result"));
}

SWAGE_EVERY_DIALECT(OutboxFault);

}  // namespace
}  // namespace swage::test
