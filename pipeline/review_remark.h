// What people said on lines of a pull request, as the work is told of it: one text for each review
// or comment, and the threads in which it is answered later. Pure.
//
// The text is data: handoff.cc puts it inside a fence, below rules that say so.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "forge/model.h"
#include "pipeline/store/store.h"

namespace swage {

inline constexpr std::size_t kMaxReviewRemark = 20'000;
/// Of one review; what is said beyond is counted, and neither told nor answered.
inline constexpr std::size_t kMaxReviewThreads = 50;

struct PlacedRemark {
  std::string text;  ///< empty: nothing was said
  std::vector<AskedThread> threads;
};

/// `text` and `comments` of a review: what of them is for the work.
PlacedRemark RemarkOfReview(std::string_view login, std::string_view text,
                            const std::vector<Comment>& comments);

/// A remark in a thread on the diff. `finding`: what the bot itself said there; may be empty.
PlacedRemark RemarkOfComment(const Comment& comment, const DiffPlace& place, std::string_view words,
                             std::string_view finding);

}  // namespace swage
