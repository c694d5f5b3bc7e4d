// ReservedPort: a free port of 127.0.0.1 that stays ours until somebody told of it listens there.
//
// The socket is bound and never listens; with SO_REUSEADDR on both sides Linux lets a server listen
// on the port all the same, while nobody else is given it by chance. Hold it as long as the server
// may restart.
#pragma once

#include "config/base/files.h"
#include "config/base/result.h"

namespace swage::demo {

class ReservedPort {
 public:
  /// `wanted` 0 = any. Errors: kUnavailable, with the system's reason.
  static Result<ReservedPort> Take(int wanted = 0);
  int number() const { return number_; }

 private:
  ReservedPort(Fd fd, int number) : fd_(std::move(fd)), number_(number) {}
  Fd fd_;
  int number_;
};

}  // namespace swage::demo
