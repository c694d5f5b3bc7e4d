// NodeProcess: one more `swage serve` beside a Box, on the same forge and the same database, with
// a name, a data directory and ports of its own.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "bot/demo/reserved_port.h"
#include "tests/harness/box.h"

namespace swage::test {

struct NodeOptions {
  std::string name;
  std::string folder;  ///< below the box's; empty = node-NAME
  std::string roles;   ///< "worker, web"
  std::string store;   ///< in place of the box's; empty = that
  std::string lease = "12s";
  std::string levels;                      ///< node.levels: "worktree"; empty = all
  std::map<std::string, std::string> env;  ///< beside the box's
};

class NodeProcess {
 public:
  NodeProcess(Box& box, NodeOptions options);
  /// Stops it politely, if it runs.
  ~NodeProcess();

  void Start();   ///< returns once it answers
  void Launch();  ///< as Start, without waiting for it
  bool WaitUntilWell();
  void Kill();  ///< SIGKILL, reaped
  int Stop();   ///< SIGTERM; the exit code
  /// The process stands still; the agents that it runs go on.
  void Freeze() const;
  void Thaw() const;
  /// For one that refuses to start: its exit code, or -1 when it serves all the same.
  int ServeToExit();

  std::string Log() const;
  bool WaitForLog(std::string_view text);
  int hooks_port() const { return hooks_port_.number(); }
  int pages_port() const { return pages_port_.number(); }
  /// The body of a page or of /readyz; "" without an answer.
  std::string Get(int port, const std::string& path) const;
  std::filesystem::path data_dir() const { return dir_ / "data"; }
  const std::string& name() const { return options_.name; }

 private:
  void WriteConfig() const;
  void Spawn();

  Box& box_;
  const NodeOptions options_;
  const std::filesystem::path dir_;
  const demo::ReservedPort hooks_port_;
  const demo::ReservedPort pages_port_;
  pid_t pid_ = -1;
};

}  // namespace swage::test
