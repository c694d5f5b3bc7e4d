// The sandbox forge in its GitLab dialect, and calls to it as a client of GitLab makes them.
#pragma once

#include <string>

#include "tests/unit/sandbox_fixture.h"

namespace swage::sandbox {

class GitLabTest : public SandboxTest {
 protected:
  GitLabTest() : SandboxTest(Dialect::kGitLab) {}

  /// METHOD /api/v4/projects/acme%2Fwidget`rest`
  HttpAnswer Api(const std::string& method, const std::string& rest, const std::string& token,
                 const nlohmann::json& body = nullptr) {
    return Call(method, "/api/v4/projects/acme%2Fwidget" + rest, "", body,
                {{"PRIVATE-TOKEN", token}});
  }

  /// A merge request of the bot that replaces line 10 of src/a.txt and adds one at the end of it.
  std::int64_t OpenMergeRequest(const std::string& description = "") {
    std::string text;
    for (int i = 1; i <= 40; ++i)
      text += "line " + std::string(i == 10 ? "ten" : std::to_string(i)) + "\n";
    Commit("swage/issue-1", {{"src/a.txt", text + "line 41\n"}});
    const HttpAnswer made = Api("POST", "/merge_requests", bot_,
                                {{"source_branch", "swage/issue-1"},
                                 {"target_branch", "main"},
                                 {"title", "Count to ten"},
                                 {"description", description}});
    EXPECT_EQ(made.status, 201) << made.text;
    return made.body.value("iid", std::int64_t{0});
  }

  bool IssueIsOpen(std::int64_t number) const { return forge_->GetIssue(repo_, number)->open; }
};

}  // namespace swage::sandbox
