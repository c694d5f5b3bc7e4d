// Ports: a block of ports per task, which no other task of this machine has (C5).
//
// A block is held by a name in the abstract socket namespace: the kernel frees it when the process
// ends, however it ends, and it counts for exactly those processes that share ports (the network
// namespace), whoever runs them and wherever their data is. A block with a port that something else
// uses just now is passed over. Thread-safe.
#pragma once

#include <map>
#include <string>

#include "config/base/files.h"
#include "config/base/ids.h"
#include "config/base/result.h"
#include "config/runtime_settings.h"

namespace swage {

class PortBlock {
 public:
  int first() const { return first_; }
  int count() const { return count_; }
  /// SWAGE_PORT_BASE, SWAGE_PORT_COUNT, PORT.
  std::map<std::string, std::string> Env() const;

 private:
  friend Result<PortBlock> TakePorts(const PortSettings& settings, TaskId task);
  PortBlock(int first, int count, Fd name) : first_(first), count_(count), name_(std::move(name)) {}

  int first_;
  int count_;
  Fd name_;
};

/// A task gets the same block again when it is free. Errors: kUnavailable (every block is taken).
Result<PortBlock> TakePorts(const PortSettings& settings, TaskId task);

}  // namespace swage
