#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "config/base/crypto.h"
#include "config/base/text.h"
#include "forge/github/webhook.h"
#include "forge/gitlab/webhook.h"

namespace swage {
namespace {

constexpr std::string_view kSecret = "It's a Secret to Everybody";
constexpr std::string_view kBody = "Hello, World!";
const std::string kKnownSignature =
    "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
const WallTime kNow = FromMicros(1'700'000'000'000'000);

HeaderMap GitHubHeaders(const std::string& signature) {
  return {{"x-hub-signature-256", signature},
          {"x-github-delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958"},
          {"x-github-event", "issues"}};
}

ErrorCode CodeOf(const Result<DeliveryInfo>& result) {
  return result.ok() ? ErrorCode::kInternal : result.error().code;
}

class GitHubWebhook : public testing::Test {
 protected:
  Result<DeliveryInfo> Verify(const HeaderMap& headers, std::string_view body = kBody,
                              std::string_view secret = kSecret) {
    return dialect_->Verify(headers, body, secret, kNow);
  }
  Event Parse(std::string_view event, std::string_view body) {
    auto parsed = dialect_->Parse("gh", event, body);
    EXPECT_TRUE(parsed.ok()) << (parsed.ok() ? "" : parsed.error().message);
    return parsed.ok() ? *parsed : Event(Ignored{"failed"});
  }
  std::unique_ptr<WebhookDialect> dialect_ = MakeGitHubDialect();
};

TEST_F(GitHubWebhook, Threat_T1_AcceptsThePublishedExample) {
  const auto info = Verify(GitHubHeaders(kKnownSignature));
  ASSERT_TRUE(info.ok()) << info.error().message;
  EXPECT_EQ(info->key, "72d3162e-cc78-11e3-81ab-4c9367dc0958");
  EXPECT_EQ(info->event, "issues");
}

TEST_F(GitHubWebhook, Threat_T1_RefusesEveryForgery) {
  std::string flipped = kKnownSignature;
  flipped.back() ^= 1;
  HeaderMap sha1_only = GitHubHeaders("");
  sha1_only.erase("x-hub-signature-256");
  sha1_only["x-hub-signature"] = "sha1=0123456789012345678901234567890123456789";
  HeaderMap absent = GitHubHeaders("");
  absent.erase("x-hub-signature-256");
  for (const HeaderMap& headers :
       {GitHubHeaders(flipped), absent, sha1_only, GitHubHeaders(""), GitHubHeaders("sha256="),
        GitHubHeaders(kKnownSignature.substr(7)), GitHubHeaders(kKnownSignature + " "),
        GitHubHeaders(kKnownSignature + "\n" + kKnownSignature),
        GitHubHeaders(std::string(100'000, 'a'))}) {
    EXPECT_EQ(CodeOf(Verify(headers)), ErrorCode::kUnauthenticated);
  }
  EXPECT_EQ(CodeOf(Verify(GitHubHeaders(kKnownSignature), "Hello, World?")),
            ErrorCode::kUnauthenticated);
  EXPECT_EQ(CodeOf(Verify(GitHubHeaders(kKnownSignature), kBody, "other")),
            ErrorCode::kUnauthenticated);
}

TEST_F(GitHubWebhook, RefusesWithoutASecretEvenWhenTheEmptyKeySigned) {
  const std::string empty_key = "sha256=" + HexEncode(HmacSha256("", kBody));
  EXPECT_EQ(CodeOf(Verify(GitHubHeaders(empty_key), kBody, "")), ErrorCode::kUnauthenticated);
}

TEST_F(GitHubWebhook, NeedsOneDeliveryIdAndOneEvent) {
  for (const char* name : {"x-github-delivery", "x-github-event"}) {
    for (const std::string& value : {std::string(), std::string("a\na"), std::string(1000, 'a')}) {
      HeaderMap headers = GitHubHeaders(kKnownSignature);
      headers[name] = value;
      EXPECT_EQ(CodeOf(Verify(headers)), ErrorCode::kInvalid) << name;
    }
  }
}

constexpr std::string_view kLabeled = R"({"action":"labeled","label":{"name":"swage"},
  "issue":{"id":5,"number":7,"title":"T","body":"B","state":"open","html_url":"u","updated_at":"t",
           "user":{"id":9,"login":"ann"},"labels":[{"name":"old"}]},
  "repository":{"id":11,"full_name":"o/r"},"sender":{"id":9,"login":"ann","type":"User"}})";

TEST_F(GitHubWebhook, ReadsTheEventsOwnLabel) {
  const Event event = Parse("issues", kLabeled);
  const auto* labeled = std::get_if<IssueLabeled>(&event);
  ASSERT_NE(labeled, nullptr);
  EXPECT_EQ(labeled->added, std::vector<std::string>{"swage"});
  EXPECT_EQ(labeled->issue.labels, std::vector<std::string>{"old"});
  EXPECT_EQ(labeled->repo, (RepoRef{"gh", "11", "o/r"}));
  EXPECT_EQ(labeled->issue.number, 7);
  EXPECT_EQ(labeled->issue.updated_at, "t");
  EXPECT_EQ(labeled->actor.id, "9");
  EXPECT_FALSE(labeled->actor.is_bot);
}

TEST_F(GitHubWebhook, ReadsFormEncodedBodies) {
  const std::string form = "payload=" + PercentEncode(kLabeled) + "&other=1";
  const std::string signature = "sha256=" + HexEncode(HmacSha256(kSecret, form));
  EXPECT_TRUE(Verify(GitHubHeaders(signature), form).ok());
  EXPECT_EQ(EventName(Parse("issues", form)), "IssueLabeled");
  EXPECT_EQ(dialect_->PeekRepoPath(form), "o/r");
  EXPECT_FALSE(dialect_->Parse("gh", "issues", "payload=%zz").ok());
}

TEST_F(GitHubWebhook, TakesCommentsOnPullRequestsForPullRequestComments) {
  const Event event = Parse("issue_comment", R"({"action":"created",
    "comment":{"id":3,"body":"/swage fix x","user":{"id":9}},
    "issue":{"id":5,"number":7,"state":"closed","pull_request":{}},
    "repository":{"id":11,"full_name":"o/r"},"sender":{"id":9,"login":"x[bot]"}})");
  const auto* comment = std::get_if<CommentCreated>(&event);
  ASSERT_NE(comment, nullptr);
  EXPECT_EQ(comment->thread.kind, ThreadKind::kPullRequest);
  EXPECT_FALSE(comment->thread_open);
  EXPECT_TRUE(comment->actor.is_bot);
  EXPECT_FALSE(comment->issue.has_value());
}

TEST_F(GitHubWebhook, TakesReviewTextsForComments) {
  const std::string pull = R"("pull_request":{"number":7,"state":"open"},
    "repository":{"id":11,"full_name":"o/r"},"sender":{"id":9,"login":"ann"}})";
  const Event review = Parse(
      "pull_request_review",
      R"({"action":"submitted","review":{"id":4,"node_id":"PRR_x","body":"/swage fix y"},)" + pull);
  ASSERT_EQ(EventName(review), "CommentCreated");
  EXPECT_EQ(std::get<CommentCreated>(review).comment.id, "review:PRR_x");
  const Event line =
      Parse("pull_request_review_comment",
            R"({"action":"created","comment":{"id":4,"body":"/swage fix y"},)" + pull);
  ASSERT_EQ(EventName(line), "CommentCreated");
  EXPECT_EQ(std::get<CommentCreated>(line).comment.id, "review_comment:4");
  EXPECT_EQ(EventName(Parse("pull_request_review",
                            R"({"action":"submitted","review":{"id":4,"body":null},)" + pull)),
            "Ignored");
  EXPECT_EQ(
      EventName(Parse("pull_request_review_comment",
                      R"({"action":"edited","comment":{"id":4,"body":"/swage fix y"},)" + pull)),
      "Ignored");
}

TEST_F(GitHubWebhook, AReviewThatAsksForChangesIsTakenAsAWhole) {
  const std::string pull = R"("pull_request":{"number":7,"state":"open"},
    "repository":{"id":11,"full_name":"o/r"},"sender":{"id":9,"login":"ann"}})";
  const auto told = [&](const char* action, const char* state) {
    return Parse("pull_request_review",
                 std::string(R"({"action":")") + action +
                     R"(","review":{"id":4,"node_id":"PRR_x","body":"No.","state":")" + state +
                     R"("},)" + pull);
  };
  const Event event = told("submitted", "changes_requested");
  ASSERT_EQ(EventName(event), "ReviewSubmitted");
  const auto& review = std::get<ReviewSubmitted>(event);
  EXPECT_TRUE(review.asks_for_changes);
  EXPECT_FALSE(review.tells_all);
  EXPECT_EQ(review.id, "4");
  EXPECT_EQ(review.number, 7);
  EXPECT_TRUE(review.thread_open);
  EXPECT_EQ(EventName(told("submitted", "approved")), "CommentCreated");
  EXPECT_EQ(EventName(told("edited", "changes_requested")), "Ignored");
  EXPECT_EQ(EventName(told("dismissed", "dismissed")), "Ignored");
}

TEST_F(GitHubWebhook, ALineCommentSaysWhereItHangs) {
  const auto place = [&](const std::string& fields) {
    const Event event = Parse("pull_request_review_comment",
                              R"({"action":"created","comment":{"id":4,"body":"x","path":"a.cc",)" +
                                  fields + R"(},"pull_request":{"number":7,"state":"open"},
        "repository":{"id":11,"full_name":"o/r"},"sender":{"id":9,"login":"ann"}})");
    return std::get<CommentCreated>(event).comment.place.value_or(DiffPlace{});
  };
  DiffPlace at = place(R"("line":5,"start_line":3,"side":"RIGHT","commit_id":"abc",
      "original_line":9,"in_reply_to_id":2)");
  EXPECT_EQ(at.thread_id, "2");
  EXPECT_EQ(at.first_line, 3);
  EXPECT_EQ(at.last_line, 5);
  EXPECT_EQ(at.commit.value, "abc");
  // Outdated: only the original place is known.
  at = place(R"("line":null,"start_line":null,"side":"LEFT","original_line":9,
      "original_start_line":null,"commit_id":"abc","original_commit_id":"old")");
  EXPECT_EQ(at.thread_id, "4");
  EXPECT_EQ(at.first_line, 9);
  EXPECT_EQ(at.last_line, 9);
  EXPECT_TRUE(at.old_side);
  EXPECT_EQ(at.commit.value, "old");
  EXPECT_EQ(place(R"("subject_type":"file")").last_line, 0);
}

TEST_F(GitHubWebhook, Fault_X25_TellsThatAPullRequestWasPushedTo) {
  const Event event = Parse("pull_request", R"({"action":"synchronize","number":7,
      "pull_request":{"number":7,"head":{"ref":"swage/1-x","sha":"abc"}},
      "sender":{"id":5,"login":"ada"},"repository":{"id":11,"full_name":"o/r"}})");
  ASSERT_EQ(EventName(event), "PullRequestPushed");
  const auto& pushed = std::get<PullRequestPushed>(event);
  EXPECT_EQ(pushed.number, 7);
  EXPECT_EQ(pushed.actor.id, "5");
  EXPECT_EQ(pushed.head_branch, "swage/1-x");
  EXPECT_EQ(pushed.head.value, "abc");
}

TEST_F(GitHubWebhook, Threat_T19_IgnoresEditedAndDeletedComments) {
  for (const char* action : {"edited", "deleted", ""}) {
    EXPECT_EQ(EventName(Parse("issue_comment", std::string(R"({"action":")") + action + R"(",
      "comment":{"id":3,"body":"/swage run"},"issue":{"number":7},
      "repository":{"id":11,"full_name":"o/r"}})")),
              "Ignored");
  }
}

TEST_F(GitHubWebhook, SurvivesBodiesOfAnyShape) {
  for (const char* body :
       {"{}", R"({"action":5,"issue":[],"repository":{"id":1,"full_name":"a/b"}})",
        R"({"action":"labeled","issue":{"number":"x"},"label":null,
                               "repository":{"id":1,"full_name":"a/b"}})",
        R"({"action":"closed","pull_request":null,"repository":{"id":{},"full_name":[]}})"}) {
    for (const char* event : {"issues", "issue_comment", "pull_request", "pull_request_review",
                              "pull_request_review_comment", "push", ""}) {
      EXPECT_EQ(EventName(Parse(event, body)), "Ignored") << event << body;
    }
  }
  for (const char* body : {"", "[]", "5", "{", "payload=", "\xff"}) {
    EXPECT_FALSE(dialect_->Parse("gh", "issues", body).ok()) << body;
  }
}

TEST_F(GitHubWebhook, Threat_T11_RefusesDeepNesting) {
  const std::string deep(100'000, '[');
  EXPECT_FALSE(dialect_->Parse("gh", "issues", deep).ok());
  EXPECT_EQ(dialect_->PeekRepoPath(deep), "");
  EXPECT_EQ(dialect_->PeekRepoPath(R"({"repository":)" + std::string(100'000, '{')), "");
}

TEST_F(GitHubWebhook, Threat_T6_PeeksAtTheRepositoryThatParseSees) {
  const std::string tail = R"("issue":{"number":1},"action":"closed"})";
  for (
      const std::string start :
      {R"({"repository":{"id":1,"full_name":"a/a"},"repository":{"id":1,"full_name":"b/b"},)",
       R"({"repository":{"id":1,"full_name":"a/a","full_name":"b/b"},)",
       R"({"repository":{"id":1,"full_name":"a/a","full_name":5},)",
       R"({"repository":{"id":1,"full_name":"a/a"},"repository":null,)",
       R"({"x":{"repository":{"full_name":"a/a"}},"repository":{"id":1,"full_name":"b/b"},)",
       R"({"repository":{"id":1,"full_name":"b/b","owner":{"full_name":"a/a"},"z":[{"full_name":"c"}]},)",
       R"({"repository":[{"full_name":"a/a"}],)",
       R"({"repository":{"full_name":{"full_name":"a/a"},"id":1},)",
       R"({"repository":{"id":1,"full_name":"b\/b"},"z":{"full_name":"a/a"},)"}) {
    const Event event = Parse("issues", start + tail);
    const RepoRef* repo = EventRepo(event);
    EXPECT_EQ(dialect_->PeekRepoPath(start + tail), repo == nullptr ? "" : repo->path) << start;
  }
  EXPECT_EQ(dialect_->PeekRepoPath(R"([{"repository":{"full_name":"a/a"}}])"), "");
  EXPECT_EQ(dialect_->PeekRepoPath(R"({"repository":{"full_name":"a/a"}} x)"), "");
  EXPECT_EQ(dialect_->PeekRepoPath(R"({"n":1e999,"repository":{"full_name":"a/a"}})"), "");
}

class GitLabWebhook : public GitHubWebhook {
 protected:
  GitLabWebhook() { dialect_ = MakeGitLabDialect(); }
  HeaderMap TokenHeaders(const std::string& token) {
    return {{"x-gitlab-token", token}, {"x-gitlab-event", "Issue Hook"}};
  }
  HeaderMap SignedHeaders(std::int64_t time_s, std::string_view key,
                          const std::string& id = "msg-1") {
    const std::string time = std::to_string(time_s);
    const std::string content = id + "." + time + "." + std::string(kBody);
    return {{"webhook-id", id},
            {"webhook-timestamp", time},
            {"webhook-signature", "v1," + Base64Encode(HmacSha256(key, content))},
            {"x-gitlab-event", "Issue Hook"}};
  }
  static constexpr std::int64_t kNowSeconds = 1'700'000'000;
};

TEST_F(GitLabWebhook, Threat_T1_ComparesTheToken) {
  EXPECT_TRUE(Verify(TokenHeaders(std::string(kSecret))).ok());
  for (const std::string token :
       {"", "x", "It's a Secret to Everybodz", "it's a Secret to Everybody",
        "It's a Secret to Everybody\nIt's a Secret to Everybody"}) {
    EXPECT_EQ(CodeOf(Verify(TokenHeaders(token))), ErrorCode::kUnauthenticated) << token;
  }
  EXPECT_EQ(CodeOf(Verify({{"x-gitlab-event", "Issue Hook"}})), ErrorCode::kUnauthenticated);
  EXPECT_EQ(CodeOf(Verify(TokenHeaders(""), kBody, "")), ErrorCode::kUnauthenticated);
  EXPECT_EQ(CodeOf(Verify({{"x-gitlab-token", std::string(kSecret)}})), ErrorCode::kInvalid);
}

TEST_F(GitLabWebhook, AReviewerWhoRequestsChangesIsAReview) {
  const auto told = [&](const char* action, const char* id, const char* before, const char* after) {
    return EventName(Parse(
        "Merge Request Hook",
        std::string(R"({"object_kind":"merge_request","user":{"id":5,"username":"ada"},
            "project":{"id":11,"path_with_namespace":"o/r"},
            "object_attributes":{"iid":7,"state":"opened","action":")") +
            action + R"("},"changes":{"reviewers":{"previous":[{"id":)" + id + R"(,"state":")" +
            before + R"("}],"current":[{"id":)" + id + R"(,"state":")" + after + R"("}]}}})"));
  };
  EXPECT_EQ(told("update", "5", "unreviewed", "requested_changes"), "ReviewSubmitted");
  // Of somebody else, as before, or another state.
  EXPECT_EQ(told("update", "6", "unreviewed", "requested_changes"), "Ignored");
  EXPECT_EQ(told("update", "5", "requested_changes", "requested_changes"), "Ignored");
  EXPECT_EQ(told("update", "5", "requested_changes", "approved"), "Ignored");
  EXPECT_EQ(told("open", "5", "unreviewed", "requested_changes"), "Ignored");
}

TEST_F(GitLabWebhook, ANoteOnADiffSaysWhereItHangs) {
  const Event event = Parse("Note Hook", R"({"object_kind":"note","user":{"id":5,"username":"ada"},
      "project":{"id":11,"path_with_namespace":"o/r"},"merge_request":{"iid":7,"state":"opened"},
      "object_attributes":{"id":3,"note":"x","noteable_type":"MergeRequest","action":"create",
        "discussion_id":"d1","position":{"new_path":"a.cc","old_path":"b.cc","new_line":5,
        "old_line":null,"head_sha":"abc","line_range":{"start":{"new_line":3}}}}})");
  ASSERT_EQ(EventName(event), "CommentCreated");
  const auto& place = std::get<CommentCreated>(event).comment.place;
  ASSERT_TRUE(place.has_value());
  EXPECT_EQ(place->thread_id, "d1");
  EXPECT_EQ(place->path, "a.cc");
  EXPECT_EQ(place->first_line, 3);
  EXPECT_EQ(place->last_line, 5);
  EXPECT_EQ(place->commit.value, "abc");
}

TEST_F(GitLabWebhook, Threat_T5_AcceptsTheSignedForm) {
  const std::string key(32, 'k');
  const std::string token = "whsec_" + Base64Encode(key);
  const auto info = Verify(SignedHeaders(kNowSeconds, key), kBody, token);
  ASSERT_TRUE(info.ok()) << info.error().message;
  EXPECT_EQ(info->key, "msg-1");
  EXPECT_TRUE(Verify(SignedHeaders(kNowSeconds - 299, key), kBody, token).ok());
  EXPECT_TRUE(Verify(SignedHeaders(kNowSeconds, kSecret)).ok());
  HeaderMap rotated = SignedHeaders(kNowSeconds, key);
  rotated["webhook-signature"] = "v1,AAAA " + rotated["webhook-signature"];
  EXPECT_TRUE(Verify(rotated, kBody, token).ok());
}

TEST_F(GitLabWebhook, Threat_T5_RefusesStaleAlteredAndChanged) {
  const std::string key(32, 'k');
  const std::string token = "whsec_" + Base64Encode(key);
  const auto refused = [&](const HeaderMap& headers, std::string_view body = kBody) {
    return CodeOf(Verify(headers, body, token)) == ErrorCode::kUnauthenticated;
  };
  EXPECT_TRUE(refused(SignedHeaders(kNowSeconds - 301, key)));
  EXPECT_TRUE(refused(SignedHeaders(kNowSeconds + 301, key)));
  EXPECT_TRUE(refused(SignedHeaders(kNowSeconds, key), "Hello, World?"));
  EXPECT_TRUE(refused(SignedHeaders(kNowSeconds, std::string(32, 'x'))));
  HeaderMap changed = SignedHeaders(kNowSeconds, key);
  changed["webhook-id"] = "msg-2";
  EXPECT_TRUE(refused(changed));
  for (const std::string time : {"", "abc", "-5", "99999999999999999999", "9223372036854775807"}) {
    HeaderMap odd = SignedHeaders(kNowSeconds, key);
    odd["webhook-timestamp"] = time;
    EXPECT_TRUE(refused(odd)) << time;
  }
  EXPECT_TRUE(refused(TokenHeaders(token))) << "a signing token must never serve as a plain one";
}

TEST_F(GitLabWebhook, Threat_T5_AWrongSignatureIsNotSavedByTheToken) {
  HeaderMap headers = SignedHeaders(kNowSeconds, "other key");
  headers["x-gitlab-token"] = std::string(kSecret);
  EXPECT_EQ(CodeOf(Verify(headers)), ErrorCode::kUnauthenticated);
  headers["webhook-signature"] = "";
  EXPECT_EQ(CodeOf(Verify(headers)), ErrorCode::kUnauthenticated);
}

TEST_F(GitLabWebhook, FindsAKeyForEveryDelivery) {
  const auto key = [&](HeaderMap headers, std::string_view body) {
    headers.merge(TokenHeaders(std::string(kSecret)));
    return Verify(headers, body)->key;
  };
  EXPECT_EQ(key({{"idempotency-key", "a"}, {"webhook-id", "b"}}, kBody), "a");
  EXPECT_EQ(key({{"webhook-id", "b"}}, kBody), "b");
  const std::string by_uuid = key({{"x-gitlab-event-uuid", "u"}}, kBody);
  EXPECT_EQ(by_uuid, key({{"x-gitlab-event-uuid", "u"}}, kBody));
  EXPECT_NE(by_uuid, key({{"x-gitlab-event-uuid", "u"}}, "other"));
  EXPECT_NE(by_uuid, key({{"x-gitlab-event-uuid", "v"}}, kBody));
}

std::string IssueHook(const std::string& action, const std::string& labels,
                      const std::string& changes, const std::string& extra = "") {
  return R"({"object_kind":"issue","user":{"id":9,"username":"ann"},
    "project":{"id":11,"path_with_namespace":"g/s/p"},
    "object_attributes":{"id":5,"iid":7,"title":"T","description":"B","state":"opened","author_id":9,
      "action":")" +
         action + R"(","labels":)" + labels + extra + R"(},"changes":)" + changes + "}";
}

TEST_F(GitLabWebhook, TakesTheDifferenceForTheLabel) {
  const std::string all = R"([{"title":"old"},{"title":"swage"}])";
  const Event added = Parse(
      "",
      IssueHook(
          "update", all,
          R"({"labels":{"previous":[{"title":"old"}],"current":[{"title":"old"},{"title":"swage"}]}})"));
  ASSERT_EQ(EventName(added), "IssueLabeled");
  EXPECT_EQ(std::get<IssueLabeled>(added).added, std::vector<std::string>{"swage"});
  EXPECT_EQ(std::get<IssueLabeled>(added).repo, (RepoRef{"gh", "11", "g/s/p"}));
  EXPECT_EQ(std::get<IssueLabeled>(added).issue.author.login, "ann");
  const Event removed = Parse(
      "", IssueHook("update", "[]", R"({"labels":{"previous":[{"title":"swage"}],"current":[]}})"));
  ASSERT_EQ(EventName(removed), "IssueUnlabeled");
  EXPECT_EQ(EventName(Parse("", IssueHook("update", all, R"({"title":{}})"))), "Ignored");
  EXPECT_EQ(EventName(Parse("", IssueHook("reopen", all, "{}"))), "IssueReopened");
}

TEST_F(GitLabWebhook, AnEditThatAddsAndRemovesLabelsSaysBoth) {
  const Event both = Parse(
      "",
      IssueHook("update", R"([{"title":"later"}])",
                R"({"labels":{"previous":[{"title":"swage"}],"current":[{"title":"later"}]}})"));
  ASSERT_EQ(EventName(both), "IssueLabeled");
  EXPECT_EQ(std::get<IssueLabeled>(both).added, std::vector<std::string>{"later"});
  EXPECT_EQ(std::get<IssueLabeled>(both).removed, std::vector<std::string>{"swage"});
}

TEST_F(GitLabWebhook, ANewIssueTellsOfItsLabelsAndAssignees) {
  const Event opened =
      Parse("", IssueHook("open", R"([{"title":"swage"}])", "{}", R"(,"assignee_ids":[9,12])"));
  ASSERT_EQ(EventName(opened), "IssueOpened");
  EXPECT_TRUE(std::get<IssueOpened>(opened).tells_all);
  EXPECT_EQ(std::get<IssueOpened>(opened).issue.labels, std::vector<std::string>{"swage"});
  EXPECT_EQ(std::get<IssueOpened>(opened).issue.assignees, (std::vector<std::string>{"9", "12"}));
}

TEST_F(GitLabWebhook, TakesTheDifferenceForTheAssignees) {
  const auto parse = [&](const std::string& changes) {
    return Parse("", IssueHook("update", "[]", R"({"assignees":)" + changes + "}"));
  };
  const Event added =
      parse(R"({"previous":[{"id":3}],"current":[{"id":3},{"id":9,"username":"bot"}]})");
  ASSERT_EQ(EventName(added), "IssueAssigned");
  EXPECT_EQ(std::get<IssueAssigned>(added).added, std::vector<std::string>{"9"});
  const Event removed = parse(R"({"previous":[{"id":3},{"id":9}],"current":[{"id":3}]})");
  ASSERT_EQ(EventName(removed), "IssueUnassigned");
  EXPECT_EQ(std::get<IssueUnassigned>(removed).removed, std::vector<std::string>{"9"});
  EXPECT_EQ(EventName(parse(R"({"previous":[],"current":[]})")), "Ignored");
}

TEST_F(GitLabWebhook, Fault_X25_TellsThatAMergeRequestWasPushedTo) {
  const auto hook = [](const std::string& extra) {
    return R"({"object_kind":"merge_request","user":{"id":9,"username":"ann"},
      "project":{"id":11,"path_with_namespace":"g/s/p"},
      "object_attributes":{"iid":8,"source_branch":"swage/1-x","last_commit":{"id":"abc"},
        "action":"update")" +
           extra + "}}";
  };
  const Event event = Parse("", hook(R"(,"oldrev":"def")"));
  ASSERT_EQ(EventName(event), "PullRequestPushed");
  const auto& pushed = std::get<PullRequestPushed>(event);
  EXPECT_EQ(pushed.number, 8);
  EXPECT_EQ(pushed.actor.login, "ann");
  EXPECT_EQ(pushed.head_branch, "swage/1-x");
  EXPECT_EQ(pushed.head.value, "abc");
  EXPECT_EQ(EventName(Parse("", hook(""))), "Ignored");  // the title was edited, for example
}

TEST_F(GitLabWebhook, TellsClosedFromMoved) {
  const Event closed = Parse("", IssueHook("close", "[]", "{}"));
  ASSERT_EQ(EventName(closed), "IssueGone");
  EXPECT_EQ(std::get<IssueGone>(closed).reason, GoneReason::kClosed);
  const Event moved = Parse("", IssueHook("close", "[]", "{}", R"(,"moved_to_id":12)"));
  EXPECT_EQ(std::get<IssueGone>(moved).reason, GoneReason::kTransferred);
}

std::string NoteHook(const std::string& attributes) {
  return R"({"object_kind":"note","user":{"id":9,"username":"project_11_bot_ab"},
    "project":{"id":11,"path_with_namespace":"g/p"},"issue":{"id":5,"iid":7,"state":"closed"},
    "merge_request":{"iid":8,"state":"opened"},
    "object_attributes":{"id":3,"note":"/swage run",)" +
         attributes + "}}";
}

TEST_F(GitLabWebhook, ReadsNewNotesOfPeople) {
  const Event on_issue = Parse("", NoteHook(R"("noteable_type":"Issue","action":"create")"));
  ASSERT_EQ(EventName(on_issue), "CommentCreated");
  const auto& comment = std::get<CommentCreated>(on_issue);
  EXPECT_EQ(comment.thread.number, 7);
  EXPECT_FALSE(comment.thread_open);
  EXPECT_TRUE(comment.actor.is_bot);
  EXPECT_TRUE(comment.issue.has_value());
  const Event old_hook =
      Parse("", NoteHook(R"("noteable_type":"MergeRequest","created_at":"a","updated_at":"a")"));
  ASSERT_EQ(EventName(old_hook), "CommentCreated");
  EXPECT_EQ(std::get<CommentCreated>(old_hook).thread.number, 8);
  for (const char* other : {R"("noteable_type":"Issue","action":"update")",
                            R"("noteable_type":"Issue","created_at":"a","updated_at":"b")",
                            R"("noteable_type":"Issue","action":"create","system":true)",
                            R"("noteable_type":"Commit","action":"create")"}) {
    EXPECT_EQ(EventName(Parse("", NoteHook(other))), "Ignored") << other;
  }
}

TEST_F(GitLabWebhook, SurvivesBodiesOfAnyShape) {
  for (const char* kind : {"issue", "note", "merge_request", "push", ""}) {
    for (const char* rest :
         {"}", R"(,"object_attributes":[]})", R"(,"project":{"id":1,"path_with_namespace":"a/b"}})",
          R"(,"project":{"id":1,"path_with_namespace":"a/b"},"object_attributes":
                                {"action":"update","iid":1},"changes":{"labels":{"previous":5,"current":"x"}}})"}) {
      EXPECT_EQ(EventName(Parse("x", std::string(R"({"object_kind":")") + kind + "\"" + rest)),
                "Ignored");
    }
  }
  EXPECT_EQ(dialect_->PeekRepoPath(R"({"project":{"id":1,"path_with_namespace":"a/b"}})"), "a/b");
}

// The compared values are digests (CRYPTO_memcmp), so the place of the difference cannot show.
// Medians of two interleaved series, with a margin for a busy machine.
TEST_F(GitLabWebhook, Threat_T2_TakesTheSameTimeWhereverTheTokenDiffers) {
  const std::string secret(400, 's');
  std::string first = secret;
  std::string last = secret;
  first.front() = 'x';
  last.back() = 'x';
  std::vector<std::int64_t> times[2];
  for (int round = 0; round < 4000; ++round) {
    for (int which = 0; which < 2; ++which) {
      const HeaderMap headers = TokenHeaders(which == 0 ? first : last);
      const auto start = std::chrono::steady_clock::now();
      EXPECT_FALSE(Verify(headers, kBody, secret).ok());
      times[which].push_back((std::chrono::steady_clock::now() - start).count());
    }
  }
  for (auto& series : times) std::nth_element(series.begin(), series.begin() + 2000, series.end());
  const double ratio = double(times[0][2000]) / double(times[1][2000]);
  EXPECT_GT(ratio, 0.7);
  EXPECT_LT(ratio, 1.4);
}

}  // namespace
}  // namespace swage
