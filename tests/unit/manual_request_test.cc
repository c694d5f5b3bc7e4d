#include "pipeline/manual_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/intake.h"

namespace swage {
namespace {

using testing::HasSubstr;

ForgeSettings ForgeAt(std::string name, std::string url) {
  ForgeSettings forge;
  forge.name = std::move(name);
  forge.git_url = std::move(url);
  return forge;
}

std::vector<ForgeSettings> TwoForges() {
  return {ForgeAt("hub", "https://github.com"), ForgeAt("lab", "https://git.example.com:8443/lab")};
}

TEST(ManualRequest, FindsAnIssueByEveryAddressThatPeopleWrite) {
  struct Row {
    const char* address;
    const char* forge;
    const char* repo;
    std::int64_t issue;
  };
  for (const Row& row : {
           Row{"https://github.com/acme/lib/issues/12", "hub", "acme/lib", 12},
           Row{"https://github.com/acme/lib/issues/12/", "hub", "acme/lib", 12},
           Row{"https://github.com/acme/lib/issues/12#issuecomment-3", "hub", "acme/lib", 12},
           Row{"https://git.example.com:8443/lab/g/s/p/-/issues/7?x=1", "lab", "g/s/p", 7},
           Row{"hub/acme/lib#12", "hub", "acme/lib", 12},
           Row{"lab/g/s/p#7", "lab", "g/s/p", 7},
       }) {
    const auto found = FindIssueByAddress(row.address, TwoForges());
    ASSERT_TRUE(found.ok()) << row.address;
    EXPECT_EQ(found->forge, row.forge);
    EXPECT_EQ(found->repo, row.repo);
    EXPECT_EQ(found->issue, row.issue);
  }
  const auto only = FindIssueByAddress("acme/lib#3", {ForgeAt("hub", "https://github.com")});
  ASSERT_TRUE(only.ok());
  EXPECT_EQ(only->forge, "hub");
}

TEST(ManualRequest, SaysWhatWouldBeAnAddress) {
  for (const char* address :
       {"", "12", "acme/lib#12", "https://github.com/acme/lib/pull/12", "hub/acme/lib#0",
        "https://github.com.evil.example/acme/lib/issues/12", "https://github.com/acme/issues/12",
        "https://github.com/acme/../lib/issues/12", "hub/acme/lib#-1", "hub/lib#12",
        "https://github.com/acme/lib/issues/99999999999999999999"}) {
    const auto found = FindIssueByAddress(address, TwoForges());
    ASSERT_FALSE(found.ok()) << address;
    EXPECT_THAT(found.error().message, HasSubstr("write its URL, or FORGE/OWNER/NAME#NUMBER"));
  }
}

TEST(ManualRequest, GoesThroughTheInboxAndBack) {
  const ManualRequest asked{"hub", "acme/lib", 12, "root (command line)", "docs"};
  const NewDelivery delivery = ToDelivery(asked);
  EXPECT_TRUE(IsManualRequest(delivery.event));
  EXPECT_TRUE(delivery.event.starts_with(kOwnEvents));
  EXPECT_NE(delivery.key, ToDelivery(asked).key) << "asked twice is two requests";
  const auto read = ReadManualRequest(delivery.forge, delivery.body);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->repo, asked.repo);
  EXPECT_EQ(read->issue, asked.issue);
  EXPECT_EQ(read->actor, asked.actor);
  EXPECT_EQ(read->profile, asked.profile);
  for (const char* body : {"", "[]", "{}", R"({"repo":"acme/lib"})", R"({"repo":"a","issue":1})"}) {
    EXPECT_FALSE(ReadManualRequest("hub", body).ok()) << body;
  }
}

class DecidedByHand : public testing::Test {
 protected:
  DecidedByHand() {
    repo_.ref = {"hub", "77", "acme/lib"};
    facts_.issue = Issue{};
    facts_.issue->number = 12;
    facts_.issue->title = "Broken";
    rules_.command_prefix = "/swage";
  }
  IntakePlan Decide() { return DecideManual(request_, repo_, facts_, rules_); }

  ManualRequest request_{"hub", "acme/lib", 12, "root (command line)", "docs"};
  Repo repo_;
  IntakeFacts facts_;
  IntakeRules rules_;
};

TEST_F(DecidedByHand, AnOpenIssueBecomesATask) {
  const IntakePlan plan = Decide();
  ASSERT_TRUE(plan.task.has_value());
  EXPECT_EQ(plan.task->profile, "docs");
  EXPECT_EQ(plan.task->requester.login, "root (command line)");
  EXPECT_FALSE(plan.task->by_label);
  EXPECT_EQ(plan.actor, "root (command line)");
  EXPECT_EQ(plan.command, "swage run");
  EXPECT_FALSE(plan.parked);
}

TEST_F(DecidedByHand, WhatCannotBeDoneIsParkedWithItsReason) {
  const auto reason = [&] {
    const IntakePlan plan = Decide();
    EXPECT_FALSE(plan.task.has_value());
    EXPECT_TRUE(plan.parked);
    return plan.outcome;
  };
  facts_.issue->open = false;
  EXPECT_THAT(reason(), HasSubstr("acme/lib#12 is closed"));
  facts_.issue.reset();
  EXPECT_THAT(reason(), HasSubstr("not to be seen with the bot's token"));
  facts_.issue = Issue{};
  facts_.task = Task{};
  facts_.task->state = TaskState::kRunning;
  EXPECT_THAT(reason(), HasSubstr("already running"));
  repo_.archived = true;
  EXPECT_THAT(reason(), HasSubstr("archived"));
}

}  // namespace
}  // namespace swage
