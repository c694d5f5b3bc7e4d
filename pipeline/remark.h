// Remark: what a person said to a task's work, by a command or in a review. Plain data.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "forge/model.h"

namespace swage {

/// A comment on the diff that a remark came from. It is answered there once what came of it is
/// published.
struct AskedThread {
  std::string comment_id;
  std::string author;  ///< login
  DiffPlace place;
};

/// What a person said to the work.
struct Remark {
  std::int64_t id = 0;
  std::string text;
  int run = 0;  ///< the first one whose worker saw it; 0 = none has
  std::vector<AskedThread> threads = {};
};

}  // namespace swage
