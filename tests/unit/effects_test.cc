#include "pipeline/effects.h"

#include <gtest/gtest.h>

#include <string>

namespace swage {
namespace {

const std::string kNastyText =
    "quotes \" \\ {\"effect\":\"push\"} \n\t <!-- x --> ``` \u2028 \U0001F600";

TEST(Effects, AReactionRoundTrips) {
  for (const Reaction r : {Reaction::kEyes, Reaction::kRocket, Reaction::kThumbsUp,
                           Reaction::kThumbsDown, Reaction::kConfused}) {
    const auto back =
        DecodeReaction(Encode(ReactionEffect{{ThreadKind::kPullRequest, 9}, "IC_12", r}));
    ASSERT_TRUE(back.ok());
    EXPECT_EQ(back->thread.kind, ThreadKind::kPullRequest);
    EXPECT_EQ(back->thread.number, 9);
    EXPECT_EQ(back->comment_id, "IC_12");
    EXPECT_EQ(back->reaction, r);
  }
}

TEST(Effects, ACommentRoundTripsByteForByte) {
  const auto back = DecodeComment(Encode(CommentEffect{{ThreadKind::kIssue, 3}, "m", kNastyText}));
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->thread.kind, ThreadKind::kIssue);
  EXPECT_EQ(back->marker, "m");
  EXPECT_EQ(back->body, kNastyText);
}

TEST(Effects, BytesThatAreNotTextDoNotThrow) {
  const auto back =
      DecodeComment(Encode(CommentEffect{{ThreadKind::kIssue, 3}, "m", "a\xff\xfe z"}));
  ASSERT_TRUE(back.ok());
  EXPECT_NE(back->body.find("\uFFFD"), std::string::npos);
}

TEST(Effects, APushAndAPullRequestRoundTrip) {
  const auto push = DecodePush(Encode(PushEffect{"swage/1-x", {"abc"}}));
  ASSERT_TRUE(push.ok());
  EXPECT_EQ(push->branch, "swage/1-x");
  EXPECT_EQ(push->sha.value, "abc");

  const auto pr = DecodePullRequest(
      Encode(PullRequestEffect{{"swage/1-x", "main", "A title", kNastyText, true}}));
  ASSERT_TRUE(pr.ok());
  EXPECT_EQ(pr->draft.head_branch, "swage/1-x");
  EXPECT_EQ(pr->draft.base_branch, "main");
  EXPECT_EQ(pr->draft.title, "A title");
  EXPECT_EQ(pr->draft.body, kNastyText);
  EXPECT_TRUE(pr->draft.draft);
}

TEST(Effects, AStatusRoundTrips) {
  for (const StatusState s : {StatusState::kPending, StatusState::kSuccess, StatusState::kFailure,
                              StatusState::kNeutral}) {
    const auto back =
        DecodeStatus(Encode(StatusEffect{{{"abc"}, "swage/tests", s, "2 of 3", "http://x/"}}));
    ASSERT_TRUE(back.ok());
    EXPECT_EQ(back->status.state, s);
    EXPECT_EQ(back->status.sha.value, "abc");
    EXPECT_EQ(back->status.context, "swage/tests");
    EXPECT_EQ(back->status.description, "2 of 3");
    EXPECT_EQ(back->status.target_url, "http://x/");
  }
}

TEST(Effects, AStatusRoundTripsWithItsAnnotations) {
  CommitStatus status{{"abc"}, "swage/tests", StatusState::kFailure, "2 of 3", ""};
  status.summary = kNastyText;
  status.annotations = {{"a b.cc", 7, Annotation::Level::kNotice, "rule", kNastyText},
                        {"c", 0, Annotation::Level::kWarning, "", ""}};
  const auto back = DecodeStatus(Encode(StatusEffect{status}));
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->status.summary, status.summary);
  ASSERT_EQ(back->status.annotations.size(), 2u);
  EXPECT_EQ(back->status.annotations[0].path, "a b.cc");
  EXPECT_EQ(back->status.annotations[0].line, 7);
  EXPECT_EQ(back->status.annotations[0].level, Annotation::Level::kNotice);
  EXPECT_EQ(back->status.annotations[0].title, "rule");
  EXPECT_EQ(back->status.annotations[0].message, status.annotations[0].message);
  EXPECT_EQ(back->status.annotations[1].level, Annotation::Level::kWarning);
}

// Written by an older version: there is no more to say.
TEST(Effects, AStatusWithoutAnnotationsIsRead) {
  std::string payload =
      Encode(StatusEffect{{{"abc"}, "swage/tests", StatusState::kSuccess, "", ""}});
  const std::string_view added = ",\"summary\":\"\"";
  if (const auto at = payload.find(added); at != payload.npos) payload.erase(at, added.size());
  const auto back = DecodeStatus(payload);
  ASSERT_TRUE(back.ok());
  EXPECT_TRUE(back->status.summary.empty());
}

TEST(Effects, AReviewRoundTripsWithItsComments) {
  const auto back = DecodeReview(Encode(ReviewEffect{
      {{"abc"}, "marker", "body", {{"f1", "src/a.cc", 7, kNastyText}, {"f2", "b", 0, ""}}}}));
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->review.head_sha.value, "abc");
  EXPECT_EQ(back->review.marker, "marker");
  EXPECT_EQ(back->review.body, "body");
  ASSERT_EQ(back->review.comments.size(), 2u);
  EXPECT_EQ(back->review.comments[0].fingerprint, "f1");
  EXPECT_EQ(back->review.comments[0].path, "src/a.cc");
  EXPECT_EQ(back->review.comments[0].line, 7);
  EXPECT_EQ(back->review.comments[0].body, kNastyText);
  EXPECT_EQ(back->review.comments[1].line, 0);
}

TEST(Effects, AResolveRoundTripsWithItsPlaces) {
  const auto back = DecodeResolve(Encode(ResolveEffect{
      {{"f1", "T1", CommentPlace::kFile}, {"f2", "", CommentPlace::kAlreadyThere}}, {"abc"}}));
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->head.value, "abc");
  ASSERT_EQ(back->threads.size(), 2u);
  EXPECT_EQ(back->threads[0].fingerprint, "f1");
  EXPECT_EQ(back->threads[0].thread_id, "T1");
  EXPECT_EQ(back->threads[0].place, CommentPlace::kFile);
  EXPECT_EQ(back->threads[1].place, CommentPlace::kAlreadyThere);
}

TEST(Effects, APayloadOfAnotherKindIsRefused) {
  const std::string push = Encode(PushEffect{"b", {"abc"}});
  EXPECT_FALSE(DecodeReview(push).ok());
  EXPECT_FALSE(DecodeComment(push).ok());
  EXPECT_EQ(DecodeResolve(push).error().code, ErrorCode::kInvalid);
}

TEST(Effects, MalformedPayloadsAreErrorsNotCrashes) {
  const std::string payloads[] = {
      "",
      "null",
      "[]",
      "{",
      "{\"effect\":\"reaction\"}",
      "{\"effect\":7}",
      "{\"effect\":\"reaction\",\"thread\":{\"kind\":\"wiki\",\"number\":1},\"reaction\":\"eyes\"}",
      "{\"effect\":\"reaction\",\"thread\":{\"kind\":\"issue\",\"number\":-1},\"reaction\":"
      "\"eyes\"}",
      std::string(100'000, '[')};
  for (const std::string& payload : payloads) {
    const auto result = DecodeReaction(payload);
    EXPECT_FALSE(result.ok()) << payload.substr(0, 80);
  }
  EXPECT_FALSE(DecodePush("{\"effect\":\"push\",\"branch\":\"\",\"sha\":\"\"}").ok());
  EXPECT_FALSE(DecodeResolve("{\"effect\":\"resolve\",\"threads\":[{\"place\":\"x\"}]}").ok());
}

TEST(Effects, TheStickyKeyTellsTasksApart) {
  EXPECT_NE(StickyKey({1}), StickyKey({11}));
  EXPECT_EQ(StickyKey({1}), StickyKey({1}));
}

}  // namespace
}  // namespace swage
