// What the work is told of a review: places, bounds, suggestions, and which threads are answered.
#include "pipeline/review_remark.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/store/asked_threads.h"

namespace swage {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

DiffPlace Place(std::string path, int first, int last) {
  return {"77", std::move(path), first, last, false, {std::string(40, 'a')}};
}

Comment On(DiffPlace place, std::string body) {
  return {"501", std::move(body), "", {"5", "ada", false}, std::move(place)};
}

TEST(ReviewRemark, CarriesTheTextAndEachCommentWithItsPlace) {
  const PlacedRemark remark = RemarkOfReview(
      "ada", "Nearly.\r\n",
      {On(Place("src/a.cc", 3, 5), "Use a map."), On(Place("src/b.cc", 0, 0), "Why this file?")});
  EXPECT_EQ(remark.text,
            "A review by ada asks for changes.\n\nNearly.\n"
            "\nOn src/a.cc, lines 3 to 5 as of aaaaaaaaaaaa (thread 77):\nUse a map.\n"
            "\nOn src/b.cc (thread 77):\nWhy this file?\n");
  ASSERT_THAT(remark.threads, SizeIs(2));
  EXPECT_EQ(remark.threads[0].comment_id, "501");
  EXPECT_EQ(remark.threads[0].place.path, "src/a.cc");
}

TEST(ReviewRemark, WithoutWordsThereIsNothing) {
  EXPECT_THAT(RemarkOfReview("ada", " \n", {On(Place("a", 1, 1), "<!-- hidden -->")}).text,
              IsEmpty());
}

TEST(ReviewRemark, ASuggestionSaysWhatItReplaces) {
  const auto told = [](const char* fence, int first, int last) {
    return RemarkOfReview(
               "ada", "",
               {On(Place("a.cc", first, last), std::string("So:\n") + fence + "\n  x();\n```")})
        .text;
  };
  EXPECT_THAT(told("```suggestion", 3, 5), HasSubstr("is to replace lines 3 to 5 of a.cc exactly"));
  EXPECT_THAT(told("```suggestion:-0+0", 4, 4), HasSubstr("replace line 4 of a.cc"));
  EXPECT_THAT(told("```suggestion:-2+1", 4, 4), HasSubstr("replace lines 2 to 5 of a.cc"));
  EXPECT_THAT(told("```suggestion:-99999999999999999999+x", 4, 4),
              HasSubstr("replace line 4 of a.cc"));
  EXPECT_THAT(told("```suggestion:-900+0", 4, 4), HasSubstr("replace lines 1 to 4 of a.cc"));
  EXPECT_THAT(told("```cpp", 3, 5), Not(HasSubstr("is to replace")));
  EXPECT_THAT(told("```suggestion", 0, 0), Not(HasSubstr("is to replace")));
  EXPECT_THAT(told("```suggestion", 3, 5), HasSubstr("\n  x();\n")) << "its blanks count";
}

TEST(ReviewRemark, IsBoundedWhateverIsSaid) {
  const std::vector<Comment> many(
      500, On(Place(std::string(100'000, 'p'), 1, 1), std::string(100'000, 'c')));
  const PlacedRemark remark =
      RemarkOfReview(std::string(10'000, 'l'), std::string(1 << 20, 't'), many);
  EXPECT_LE(remark.text.size(), kMaxReviewRemark + 1'000);
  EXPECT_THAT(remark.text, HasSubstr("more comments of the review did not fit here"));
  EXPECT_LE(remark.threads.size(), kMaxReviewThreads);
  EXPECT_THAT(
      RemarkOfReview("ada", "", std::vector<Comment>(500, On(Place("a", 1, 1), "x"))).threads,
      SizeIs(kMaxReviewThreads));
}

TEST(ReviewRemark, Threat_T27_HiddenTextIsAbsent) {
  const std::string hidden = "vis\xE2\x80\x8Bible<!-- order --> \xE2\x80\xAE\x1b[31m\xff";
  for (const std::string& text :
       {RemarkOfReview(hidden, hidden, {On(Place(hidden, 1, 1), hidden)}).text,
        RemarkOfComment(On(Place(hidden, 1, 1), ""), Place(hidden, 1, 1), "x", hidden).text}) {
    for (const char* trace : {"\xE2\x80\x8B", "order", "\xE2\x80\xAE", "\x1b"}) {
      EXPECT_EQ(text.find(trace), std::string::npos) << trace;
    }
  }
}

TEST(ReviewRemark, ACommentInTheBotsThreadNamesWhatTheBotFound) {
  const DiffPlace place = Place("a.cc", 7, 7);
  const PlacedRemark remark =
      RemarkOfComment(On(place, "/swage fix drop it"), place, "drop it", "unused\nvariable");
  EXPECT_EQ(
      remark.text,
      "On a.cc, line 7 as of aaaaaaaaaaaa (thread 77), where a gate found \"unused variable\":"
      "\ndrop it");
  EXPECT_THAT(remark.threads, SizeIs(1));
  DiffPlace old = place;
  old.old_side = true;
  EXPECT_THAT(RemarkOfComment(On(old, ""), old, "why?", "").text,
              HasSubstr("line 7 as it was before the change (thread 77):\nwhy?"));
}

TEST(AskedThreads, SurviveTheirRow) {
  EXPECT_EQ(EncodeThreads({}), "");
  const AskedThread thread{"c\"1", "ada", {"t:1", "a b\n.cc", 3, 5, true, {"abc"}}};
  const auto read = DecodeThreads(EncodeThreads({thread, {}}));
  ASSERT_THAT(read, SizeIs(2));
  EXPECT_EQ(read[0].comment_id, thread.comment_id);
  EXPECT_EQ(read[0].author, "ada");
  EXPECT_EQ(read[0].place.thread_id, "t:1");
  EXPECT_EQ(read[0].place.path, thread.place.path);
  EXPECT_EQ(read[0].place.first_line, 3);
  EXPECT_EQ(read[0].place.last_line, 5);
  EXPECT_TRUE(read[0].place.old_side);
  EXPECT_EQ(read[0].place.commit.value, "abc");
  for (const char* broken : {"", "{", "{}", "null", "[1"}) {
    EXPECT_THAT(DecodeThreads(broken), IsEmpty()) << broken;
  }
}

}  // namespace
}  // namespace swage
