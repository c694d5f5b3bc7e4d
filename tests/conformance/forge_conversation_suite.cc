// What every forge tells of reviews, and how answers reach their threads.
#include <gmock/gmock.h>

#include "tests/conformance/forge_suite.h"

namespace swage {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

ReviewSubmitted Told(const RepoRef& repo, const Actor& actor, std::int64_t number,
                     std::string text = "") {
  ReviewSubmitted event{repo, actor, number, std::move(text)};
  event.asks_for_changes = true;
  return event;
}

}  // namespace

TEST_P(ForgeSuite, ReadsAReviewThatAsksForChangesWithItsLines) {
  const PullRequest pull = OpenPull();
  EXPECT_THAT(*forge_->Feed()->ListReviews(repo_, pull.number), IsEmpty());
  server_->ReviewPull(kRepo, "ann", pull.number, {"COMMENTED", "Just a thought."});
  server_->ReviewPull(kRepo, "reader", pull.number,
                      {"CHANGES_REQUESTED", "No.", {{"src/new.txt", 1, "Not mine."}}});
  server_->ReviewPull(kRepo, "ann", pull.number,
                      {"CHANGES_REQUESTED",
                       "Nearly.",
                       {{"src/a.txt", 4, "Größe?"}, {"src/new.txt", 1, "```suggestion\nx\n```"}}});
  const auto listed = forge_->Feed()->ListReviews(repo_, pull.number);
  ASSERT_TRUE(listed.ok()) << listed.error().message;
  ASSERT_THAT(*listed, SizeIs(2));
  std::string id;
  for (const Review& review : *listed) {
    EXPECT_TRUE(review.asks_for_changes);
    EXPECT_FALSE(review.id.empty());
    EXPECT_GT(review.at, WallTime{});
    if (review.text.author.id == ActorOf("ann").id) id = review.id;
  }
  ReviewSubmitted told = Told(repo_, ActorOf("ann"), pull.number, "Nearly.");
  told.id = id;
  const auto review = forge_->GetReview(told);
  ASSERT_TRUE(review.ok()) << review.error().message;
  EXPECT_TRUE(review->asks_for_changes);
  EXPECT_EQ(review->id, id);
  EXPECT_THAT(review->text.body, HasSubstr("Nearly."));
  ASSERT_THAT(review->comments, SizeIs(2));
  const Comment& first = review->comments[0];
  EXPECT_EQ(first.body, "Größe?");
  EXPECT_EQ(first.author.id, ActorOf("ann").id);
  ASSERT_TRUE(first.place.has_value());
  EXPECT_EQ(first.place->path, "src/a.txt");
  EXPECT_EQ(first.place->first_line, 4);
  EXPECT_EQ(first.place->last_line, 4);
  EXPECT_FALSE(first.place->old_side);
  EXPECT_EQ(first.place->commit, pull.head_sha);
  EXPECT_FALSE(first.place->thread_id.empty());
  EXPECT_EQ(review->comments[1].place->path, "src/new.txt");
}

TEST_P(ForgeSuite, AnswersInAPersonsThreadOnce) {
  const PullRequest pull = OpenPull();
  server_->ReviewPull(kRepo, "ann", pull.number,
                      {"CHANGES_REQUESTED",
                       "Nearly.",
                       {{"src/a.txt", 4, "First?"}, {"src/new.txt", 1, "Second?"}}});
  ReviewSubmitted told = Told(repo_, ActorOf("ann"), pull.number, "Nearly.");
  told.id = forge_->Feed()->ListReviews(repo_, pull.number)->at(0).id;
  const auto review = forge_->GetReview(told);
  ASSERT_TRUE(review.ok()) << review.error().message;
  std::vector<ThreadReply> replies;
  for (const Comment& comment : review->comments) {
    replies.push_back({*comment.place, "<!-- swage:reply " + comment.id + " -->", "Answered."});
  }
  for (int i = 0; i < 2; ++i) {
    const auto posted = forge_->EnsureReplies(repo_, pull.number, replies);
    ASSERT_TRUE(posted.ok()) << posted.error().message;
  }
  EXPECT_EQ(CountOnPull(pull.number, "Answered."), 2);
  for (const ThreadReply& reply : replies) {
    int there = 0;
    for (const sandbox::Discussion& discussion : PullState(pull.number).discussions) {
      if (!discussion.position || discussion.position->path != reply.place.path) continue;
      for (const sandbox::DiffNote& note : discussion.notes) {
        there += note.body.find(reply.marker) != std::string::npos ? 1 : 0;
      }
    }
    EXPECT_EQ(there, 1) << reply.place.path;
  }
  // Somebody else's copy of the marker is no answer; a thread that is gone gets none.
  server_->CommentOnPull(kRepo, "ann", pull.number, "<!-- swage:reply copied -->");
  ThreadReply copied = replies.front();
  copied.marker = "<!-- swage:reply copied -->";
  copied.body = "All the same.";
  ThreadReply gone = copied;
  gone.marker = "<!-- swage:reply gone -->";
  gone.body = "Nobody reads this.";
  gone.place.thread_id = "999999";
  gone.place.path = "no/such.txt";
  ASSERT_TRUE(forge_->EnsureReplies(repo_, pull.number, {gone, copied}).ok());
  EXPECT_EQ(CountOnPull(pull.number, "All the same."), 1);
}

TEST_P(ForgeSuite, ALostReplyMakesNoSecondAnswer) {
  const PullRequest pull = OpenPull();
  server_->ReviewPull(kRepo, "ann", pull.number,
                      {"CHANGES_REQUESTED", "Nearly.", {{"src/a.txt", 4, "First?"}}});
  ReviewSubmitted told = Told(repo_, ActorOf("ann"), pull.number, "Nearly.");
  told.id = forge_->Feed()->ListReviews(repo_, pull.number)->at(0).id;
  const auto review = forge_->GetReview(told);
  ASSERT_TRUE(review.ok() && review->comments.size() == 1);
  const ThreadReply reply{*review->comments[0].place, "<!-- swage:reply 1 -->", "Answered."};
  LoseReply("POST", "/(replies|reviews|notes)$");
  EXPECT_FALSE(forge_->EnsureReplies(repo_, pull.number, {reply}).ok());
  EXPECT_TRUE(forge_->EnsureReplies(repo_, pull.number, {reply}).ok());
  EXPECT_EQ(CountOnPull(pull.number, "Answered."), 1);
}

TEST_P(ForgeSuite, FindsWhereAnAnswerInAThreadHangs) {
  const PullRequest pull = OpenPull();
  server_->ReviewPull(kRepo, "ann", pull.number,
                      {"COMMENTED", "Hm.", {{"src/a.txt", 4, "First?"}}});
  const sandbox::Id note = PullState(pull.number).discussions.at(0).notes.at(0).id;
  const sandbox::Id answer = server_->ReplyToNote(kRepo, "ann", note, "/swage fix it");
  const auto page = forge_->Feed()->ListComments(
      repo_, WallTime{}, {{{ThreadKind::kPullRequest, pull.number}, WallTime{}, {}}});
  ASSERT_TRUE(page.ok()) << page.error().message;
  const Comment* found = nullptr;
  for (const FoundComment& one : page->comments) {
    if (one.comment.body == "/swage fix it") found = &one.comment;
  }
  ASSERT_NE(found, nullptr);
  EXPECT_THAT(found->id, HasSubstr(std::to_string(answer)));
  const auto place = forge_->FindPlace(repo_, pull.number, *found);
  ASSERT_TRUE(place.ok()) << place.error().message;
  ASSERT_TRUE(place->has_value());
  EXPECT_EQ((*place)->path, "src/a.txt");
  EXPECT_EQ((*place)->last_line, 4);
  EXPECT_FALSE((*place)->thread_id.empty());
  const sandbox::Id plain = server_->CommentOnPull(kRepo, "ann", pull.number, "On no line.");
  const auto nowhere =
      forge_->FindPlace(repo_, pull.number, {std::to_string(plain), "On no line.", "", {}});
  ASSERT_TRUE(nowhere.ok()) << nowhere.error().message;
  EXPECT_FALSE(nowhere->has_value());
}

}  // namespace swage
