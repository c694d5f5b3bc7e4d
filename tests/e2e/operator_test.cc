// What an operator does beside a running server: the audit log (B10, I12), stuck tasks (I4).
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <map>
#include <nlohmann/json.hpp>

#include "config/base/text.h"
#include "pipeline/audit.h"
#include "pipeline/task.h"
#include "tests/harness/box.h"

namespace swage::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

BoxOptions Options() {
  BoxOptions options;
  options.files = AnswerRepo();
  options.agent = TwoCycleAgent();
  return options;
}

// What somebody with the file and the time does: the triggers go, the row changes.
void Tamper(Box& box, const std::string& sql) {
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open((box.data_dir() / "swage.db").c_str(), &db), SQLITE_OK);
  const std::string script =
      "DROP TRIGGER IF EXISTS audit_is_sealed_once; DROP TRIGGER IF EXISTS audit_stays; "
      "DROP TRIGGER IF EXISTS audit_head_grows;" +
      sql;
  char* error = nullptr;
  EXPECT_EQ(sqlite3_exec(db, script.c_str(), nullptr, nullptr, &error), SQLITE_OK) << error;
  sqlite3_free(error);
  sqlite3_close(db);
}

std::vector<nlohmann::json> Export(Box& box, std::vector<std::string> more = {}) {
  std::vector<std::string> arguments = {"audit", "export", "--json"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const Box::Ran ran = box.Run(std::move(arguments));
  EXPECT_EQ(ran.code, 0) << ran.err;
  std::vector<nlohmann::json> records;
  for (const std::string_view line : SplitLines(ran.out)) {
    if (!line.empty()) records.push_back(nlohmann::json::parse(line));
  }
  return records;
}

bool AllSealed(Box& box) {
  return box.WaitFor(
      [&] { return box.Query("SELECT count(*) FROM audit WHERE seq IS NULL") == "0"; });
}

std::string HeadOf(const Box::Ran& ran) {
  const std::size_t at = ran.out.find("head ");
  return ran.out.substr(at + 5, ran.out.find('\n', at) - at - 5);
}

TEST(Audit, IsWholeAndTellsEveryMoveBesideTheServer) {
  Box box(Options());
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review"));
  box.forge().Comment(box.repo(), "eve", issue, "/swage fix hunter2");
  ASSERT_TRUE(box.Settle());
  ASSERT_TRUE(AllSealed(box));
  const Box::Ran verified = box.Run({"audit", "verify"});
  EXPECT_EQ(verified.code, 0) << verified.err;
  EXPECT_THAT(verified.out, HasSubstr("The audit log is whole"));

  // Anybody can check the chain from the export alone.
  AuditVerifier verifier;
  std::map<std::string, std::string> states;
  for (const nlohmann::json& json : Export(box)) {
    AuditRecord record;
    record.seq = json["seq"];
    record.at = FromMicros(json["at_us"]);
    record.what = {json["actor"], json["action"], json["task"], json["subject"], json["detail"]};
    record.hash = json["hash"];
    EXPECT_TRUE(verifier.Add(record));
    EXPECT_EQ(json.dump().find("hunter2"), std::string::npos);
    // I12: each state follows from the one before, along the graph.
    const std::string subject = record.what.subject;
    std::string& state = states[record.what.task];
    if (record.what.action == audit::kTaskCreated) state = subject;
    const std::size_t arrow = subject.find(" > ");
    if (!record.what.action.starts_with("task.") || arrow == subject.npos) continue;
    EXPECT_EQ(subject.substr(0, arrow), state) << json;
    const auto from = ParseTaskState(state);
    const auto to = ParseTaskState(subject.substr(arrow + 3));
    ASSERT_TRUE(from && to) << subject;
    EXPECT_TRUE(CanMove(*from, *to)) << subject;
    state = subject.substr(arrow + 3);
  }
  EXPECT_FALSE(verifier.broken().has_value());
  const std::string key = "box/acme/lib#" + std::to_string(issue);
  EXPECT_EQ(states[key], "in_review");
  EXPECT_THAT(Export(box, {"--task", key}), Not(IsEmpty()));
  EXPECT_THAT(Export(box, {"--since", "2h"}), SizeIs(Export(box).size()));
  EXPECT_THAT(Export(box, {"--since", "2026-03-01"}), SizeIs(Export(box).size()));
  EXPECT_THAT(Export(box, {"--since", "2999-03-01"}), IsEmpty());
  EXPECT_THAT(Export(box, {"--until", "2h"}), IsEmpty());
  const std::string lines = box.Run({"audit", "export"}).out;
  EXPECT_THAT(lines, AllOf(HasSubstr("person/ada"), HasSubstr("task.created"),
                           HasSubstr("queued > running"), HasSubstr("effect.done"),
                           HasSubstr("pull_request"), HasSubstr("node.started")));
  EXPECT_THAT(lines, AllOf(HasSubstr("person/eve"), HasSubstr("/swage fix"),
                           HasSubstr("refused: nothing was done")));
}

TEST(Audit, IsSealedWhenTheServerHasStoppedAndShowsWhatWasChanged) {
  Box box(Options());
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review"));
  EXPECT_EQ(box.StopServer(), 0);
  EXPECT_EQ(box.Query("SELECT count(*) FROM audit WHERE seq IS NULL"), "0");
  EXPECT_EQ(box.Query("SELECT action FROM audit ORDER BY seq DESC LIMIT 1"), "node.stopped");
  const Box::Ran good = box.Run({"audit", "verify"});
  ASSERT_EQ(good.code, 0) << good.err;
  const std::string head = HeadOf(good);
  EXPECT_EQ(box.Run({"audit", "verify", "--head", head}).code, 0);
  EXPECT_THAT(box.ServerLog(), HasSubstr(head)) << "the server's log has it too";

  Tamper(box, "UPDATE audit SET actor = 'person/eve' WHERE seq = 3;");
  const Box::Ran changed = box.Run({"audit", "verify"});
  EXPECT_EQ(changed.code, 1);
  EXPECT_THAT(changed.out, AllOf(HasSubstr("broken at record 3"),
                                 HasSubstr("The 2 records before it are as they were written")));
  const auto json = nlohmann::json::parse(box.Run({"audit", "verify", "--json"}).out);
  EXPECT_EQ(json["ok"], false);
  EXPECT_EQ(json["broken"]["seq"], 3);
  EXPECT_EQ(json["broken"]["fault"], "altered");
  box.StartServer();
}

TEST(Audit, ACutEndIsSeenByTheStoredHeadAndByANotedOne) {
  Box box(Options());
  EXPECT_EQ(box.StopServer(), 0);
  const std::string head = HeadOf(box.Run({"audit", "verify"}));
  Tamper(box, "DELETE FROM audit WHERE seq = (SELECT max(seq) FROM audit);");
  EXPECT_THAT(box.Run({"audit", "verify"}).out, HasSubstr("the log ends with record"));
  Tamper(box,
         "UPDATE audit_head SET (seq, hash) = (SELECT seq, hash FROM audit ORDER BY seq DESC "
         "LIMIT 1);");
  EXPECT_EQ(box.Run({"audit", "verify"}).code, 0) << "nobody can tell without a note";
  EXPECT_EQ(box.Run({"audit", "verify", "--head", head}).code, 1);
  box.StartServer();
}

TEST(Audit, WhatCannotBeCheckedIsSaidAs2) {
  BoxOptions options = Options();
  options.start = false;
  Box box(std::move(options));
  const Box::Ran none = box.Run({"audit", "verify"});
  EXPECT_EQ(none.code, 2);
  EXPECT_THAT(none.err, HasSubstr("swage.db"));
  EXPECT_FALSE(std::filesystem::exists(box.data_dir() / "swage.db"));
  EXPECT_EQ(box.Run({"audit", "verify", "--head", "17"}).code, 2);
  EXPECT_EQ(box.Run({"audit", "export", "--since", "yesterday"}).code, 2);
  box.StartServer();
}

TEST(OperatorCommands, ListAndShowTasksBesideTheServer) {
  Box box(Options());
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForSticky(issue, "in review"));
  const std::string key = "box/acme/lib#" + std::to_string(issue);
  const Box::Ran list = box.Run({"tasks"});
  EXPECT_EQ(list.code, 0) << list.err;
  EXPECT_THAT(list.out,
              AllOf(HasSubstr(key), HasSubstr("in_review"), HasSubstr("answer is wrong")));
  EXPECT_THAT(box.Run({"tasks", "--state", "failed"}).out, HasSubstr("no tasks"));
  EXPECT_EQ(box.Run({"tasks", "--state", "lost"}).code, 2);
  const auto json = nlohmann::json::parse(box.Run({"tasks", "--json"}).out);
  EXPECT_EQ(json["key"], key);
  EXPECT_EQ(json["state"], "in_review");
  for (const std::string& name : {std::string("1"), key}) {
    const Box::Ran show = box.Run({"show", name});
    EXPECT_EQ(show.code, 0) << show.err;
    EXPECT_THAT(show.out, AllOf(HasSubstr("run1-cycle1-agent.log"), HasSubstr("history"),
                                HasSubstr("tests"), HasSubstr("pull request")));
  }
  EXPECT_THAT(nlohmann::json::parse(box.Run({"show", "1", "--json"}).out)["steps"], Not(IsEmpty()));
  EXPECT_EQ(box.Run({"show", "99"}).code, 1);
}

TEST(OperatorCommands, RetryAndStopWantTheEmbeddedDatabaseForThemselves) {
  BoxOptions options = Options();
  options.agent = "exit 1\n";
  Box box(std::move(options));
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  ASSERT_TRUE(box.WaitForSticky(issue, "failed"));
  const Box::Ran refused = box.Run({"retry", "1"});
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err, AllOf(HasSubstr("in use by process"), HasSubstr("comment /swage")));
  EXPECT_EQ(box.StopServer(), 0);
  box.SetAgent(TwoCycleAgent());
  EXPECT_EQ(box.Run({"stop", "1"}).code, 1) << "there is nothing to stop";
  const Box::Ran retried = box.Run({"retry", "1"});
  EXPECT_EQ(retried.code, 0) << retried.err;
  EXPECT_EQ(box.Query("SELECT state FROM tasks"), "queued");
  box.StartServer();
  EXPECT_TRUE(box.WaitForSticky(issue, "in review"));
  EXPECT_THAT(box.Run({"audit", "export"}).out, HasSubstr("swage retry"));
}

}  // namespace
}  // namespace swage::test
