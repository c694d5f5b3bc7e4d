#include "pipeline/review_remark.h"

#include <fmt/format.h>

#include <algorithm>

#include "config/base/text.h"

namespace swage {
namespace {

constexpr std::size_t kMaxCommentBytes = 4'000;
constexpr std::size_t kMaxFindingBytes = 500;
constexpr std::size_t kMaxPathBytes = 500;
constexpr std::size_t kShortSha = 12;
constexpr std::int64_t kMaxReach = 1'000;  // lines

std::string Clean(std::string_view text, std::size_t max_bytes) {
  return Truncate(Trim(StripHidden(StripControl(ToValidUtf8(text)))), max_bytes);
}

std::string Lines(int first, int last) {
  return first == last ? fmt::format("line {}", last) : fmt::format("lines {} to {}", first, last);
}

std::string PathOf(const DiffPlace& place) {
  return ReplaceAll(Clean(place.path, kMaxPathBytes), "\n", " ");
}

// "On a.cc, lines 3 to 5 as of 0123456789ab (thread 77)".
std::string Where(const DiffPlace& place) {
  std::string where = place.path.empty() ? "In a thread" : fmt::format("On {}", PathOf(place));
  if (place.last_line > 0) where += ", " + Lines(place.first_line, place.last_line);
  if (place.old_side) where += " as it was before the change";
  if (!place.old_side && place.last_line > 0 && !place.commit.value.empty()) {
    where += " as of " + place.commit.value.substr(0, kShortSha);
  }
  if (!place.thread_id.empty()) where += fmt::format(" (thread {})", place.thread_id);
  return where;
}

// The numbers behind "```suggestion:-1+2", which is how some forges say that a suggestion replaces
// more lines than the comment stands on.
struct Reach {
  int above = 0;
  int below = 0;
};

Reach ReachOf(std::string_view info) {
  Reach reach;
  if (!info.starts_with(":-")) return reach;
  info.remove_prefix(2);
  const std::size_t plus = info.find('+');
  const auto number = [](std::string_view digits) {
    return static_cast<int>(std::min(ParseInt(digits).value_or(0), kMaxReach));
  };
  reach.above = number(info.substr(0, plus));
  if (plus != info.npos) reach.below = number(info.substr(plus + 1));
  return reach;
}

// A reviewer's own wording of the lines, of which only the forge's page says what it replaces.
std::string SuggestionNote(std::string_view body, const DiffPlace& place) {
  constexpr std::string_view kFence = "```suggestion";
  if (place.last_line <= 0 || place.old_side) return {};
  for (const std::string_view line : SplitLines(body)) {
    const std::string_view text = Trim(line);
    if (!text.starts_with(kFence)) continue;
    const Reach reach = ReachOf(text.substr(kFence.size()));
    const int first = std::max(place.first_line - reach.above, 1);
    return fmt::format("(The suggestion below is to replace {} of {} exactly.)\n",
                       Lines(first, place.last_line + reach.below), PathOf(place));
  }
  return {};
}

AskedThread ThreadOf(const Comment& comment, const DiffPlace& place) {
  return {comment.id, comment.author.login, place};
}

}  // namespace

PlacedRemark RemarkOfReview(std::string_view login, std::string_view text,
                            const std::vector<Comment>& comments) {
  PlacedRemark remark;
  const std::string words = Clean(text, kMaxReviewRemark / 2);
  std::size_t left_out = 0;
  std::string on_lines;
  for (const Comment& comment : comments) {
    const std::string said = Clean(comment.body, kMaxCommentBytes);
    if (said.empty()) continue;
    const DiffPlace place = comment.place.value_or(DiffPlace{});
    std::string one = fmt::format("\n{}:\n{}{}\n", Where(place), SuggestionNote(said, place), said);
    const bool fits = words.size() + on_lines.size() + one.size() < kMaxReviewRemark - 200;
    if (!fits || remark.threads.size() == kMaxReviewThreads) {
      ++left_out;
      continue;
    }
    on_lines += one;
    if (!place.thread_id.empty()) remark.threads.push_back(ThreadOf(comment, place));
  }
  if (words.empty() && on_lines.empty()) return remark;
  remark.text = fmt::format("A review by {} asks for changes.\n", Clean(login, kMaxPathBytes));
  if (!words.empty()) remark.text += "\n" + words + "\n";
  remark.text += on_lines;
  if (left_out > 0) {
    remark.text +=
        fmt::format("\n({} of the review did not fit here.)\n", Count(left_out, "more comment"));
  }
  return remark;
}

PlacedRemark RemarkOfComment(const Comment& comment, const DiffPlace& place, std::string_view words,
                             std::string_view finding) {
  PlacedRemark remark;
  remark.text = Where(place);
  const std::string known = ReplaceAll(Clean(finding, kMaxFindingBytes), "\n", " ");
  if (!known.empty()) remark.text += fmt::format(", where a gate found \"{}\"", known);
  remark.text += fmt::format(":\n{}{}", SuggestionNote(words, place), words);
  if (!place.thread_id.empty()) remark.threads.push_back(ThreadOf(comment, place));
  return remark;
}

}  // namespace swage
