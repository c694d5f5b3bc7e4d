// What the bot has already said in reviews of one pull request: read before anything is written, so
// that an unknown outcome never becomes a second review. Thread-safe as Api is.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "forge/github/api.h"

namespace swage::github {

/// A line or file comment of ours.
struct PostedRemark {
  std::string comment_id;
  std::string review_id;
  std::string thread_node;  ///< GraphQL id; empty when GraphQL does not answer
  bool open = true;         ///< neither resolved nor marked as gone
  CommentPlace place = CommentPlace::kLine;

  /// What ResolveThread takes: "123" or "123:NODE".
  std::string ThreadId() const;
};

struct ReviewState {
  std::string review_id;  ///< the review with the marker; empty = none
  std::string review_url;
  std::map<std::string, PostedRemark> remarks;   ///< by finding marker; an open one wins
  std::map<std::string, std::string> in_bodies;  ///< finding marker -> review id
};

Result<ReviewState> ReadReviewState(Api& api, const RepoRef& repo, std::int64_t number,
                                    std::string_view marker);

}  // namespace swage::github
