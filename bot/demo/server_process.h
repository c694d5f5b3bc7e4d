// ServerProcess: the real `swage serve` as a child of the demo, stopped when its owner goes.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "config/base/process.h"
#include "config/base/result.h"

namespace swage::demo {

class ServerProcess {
 public:
  /// Starts this very executable with `serve --config`; its output goes to `log`. `env` is its
  /// whole environment. Returns once /healthz answers. Errors: kTimeout, kInternal with the log's
  /// last lines. `on_end` is called from another thread if the server ends without Stop.
  static Result<std::unique_ptr<ServerProcess>> Start(const std::filesystem::path& config,
                                                      const std::filesystem::path& log, int port,
                                                      std::map<std::string, std::string> env,
                                                      std::function<void()> on_end);
  ~ServerProcess();
  bool Running() const { return !ended_; }
  std::string LastWords() const;  ///< the end of its log
  void Stop();

 private:
  ServerProcess() = default;
  std::unique_ptr<ProcessRunner> runner_;
  std::filesystem::path log_;
  std::atomic<bool> ended_{false};
  std::jthread thread_;
};

}  // namespace swage::demo
