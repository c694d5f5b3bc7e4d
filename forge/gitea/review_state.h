// What the bot has already said in reviews of one pull request: read before anything is written, so
// that an unknown outcome never becomes a second review. Thread-safe as Api is.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "forge/gitea/api.h"
#include "forge/patch_lines.h"

namespace swage::gitea {

/// A line comment of ours.
struct PostedRemark {
  std::string thread_id;  ///< "REVIEW:COMMENT"
  bool open = true;       ///< neither resolved nor marked as gone
};

struct ReviewState {
  std::string review_id;  ///< the review with the marker; empty = none
  std::string review_url;
  std::map<std::string, PostedRemark> remarks;  ///< by finding marker; an open one wins
  std::set<std::string> in_bodies;              ///< finding markers
  std::string unfinished;  ///< a review of ours that was begun and not submitted; empty = none
};

Result<ReviewState> ReadReviewState(Api& api, const RepoRef& repo, std::int64_t number,
                                    std::string_view marker);

using DiffFiles = std::map<std::string, std::map<int, PatchLine>>;
/// The lines of a pull request that its page shows. A diff that is beyond all bounds shows none to
/// people either.
Result<DiffFiles> ReadDiff(Api& api, const RepoRef& repo, std::int64_t number);

/// "/repos/o/n/pulls/3/reviews" and what follows.
std::string ReviewsPath(const RepoRef& repo, std::int64_t number, std::string_view rest);
/// The line comments of a review; the list knows no pages.
Result<void> ForEachLineComment(Api& api, const RepoRef& repo, std::int64_t number,
                                std::string_view review,
                                const std::function<void(const nlohmann::json&)>& visit);

}  // namespace swage::gitea
