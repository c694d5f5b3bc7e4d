// FakeProcessRunner: plays a script instead of running commands, and records what it was asked to
// run.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "config/base/process.h"

namespace swage {

class FakeProcessRunner final : public ProcessRunner {
 public:
  using Script = std::function<Result<ProcessResult>(const ProcessSpec&, const Sink&)>;

  /// Says `output` and exits with `code`.
  explicit FakeProcessRunner(std::string output = {}, int code = 0)
      : script_([output = std::move(output), code](const ProcessSpec&, const Sink& sink) {
          if (!output.empty()) sink(output);
          return Exited(code);
        }) {}
  explicit FakeProcessRunner(Script script) : script_(std::move(script)) {}

  Result<ProcessResult> Run(const ProcessSpec& spec, const Sink& sink, std::stop_token) override {
    specs.push_back(spec);
    return script_(spec, sink);
  }

  static ProcessResult Exited(int code) {
    ProcessResult result;
    result.exit_code = code;
    return result;
  }
  static ProcessResult Ended(ProcessEnd end) {
    ProcessResult result;
    result.end = end;
    return result;
  }

  std::vector<ProcessSpec> specs;  ///< in the order of the calls

 private:
  Script script_;
};

}  // namespace swage
