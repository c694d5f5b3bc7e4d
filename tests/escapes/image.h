// A container image made without any network: one static program under many names. By podman, or by
// the engine that SWAGE_TEST_ENGINE names (docker, whose daemon DOCKER_HOST may name).
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "config/base/files.h"
#include "config/base/process.h"

namespace swage {

class EscapeImage {
 public:
  /// Without the engine or busybox there is no image, and its name is that of none.
  EscapeImage(ProcessRunner& processes, const std::filesystem::path& scratch)
      : processes_(processes), name_("localhost/swage-escapes:" + std::to_string(getpid())) {
    namespace fs = std::filesystem;
    const fs::path bin = scratch / "image" / "bin";
    std::error_code error;
    fs::create_directories(bin);
    fs::copy_file("/bin/busybox", bin / "busybox", error);
    for (const char* name :
         {"sh", "cat", "env", "sort", "grep", "touch", "sleep", "echo", "wget"}) {
      fs::create_symlink("busybox", bin / name, error);
    }
    const std::string archive = (scratch / "image.tar").string();
    made_ = Run({"tar", "-C", (scratch / "image").string(), "-cf", archive, "."}) &&
            Run({engine_, "import", archive, name_});
  }
  ~EscapeImage() {
    if (made_) Run({engine_, "rmi", "--force", name_});
  }
  EscapeImage(const EscapeImage&) = delete;
  EscapeImage& operator=(const EscapeImage&) = delete;
  const std::string& Name() const { return name_; }
  const std::string& Engine() const { return engine_; }

 private:
  bool Run(std::vector<std::string> argv) {
    ProcessSpec spec;
    spec.argv = std::move(argv);
    spec.env = {{"PATH", "/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin:/bin"}};
    for (const char* name : {"HOME", "DOCKER_HOST"}) {
      if (const char* value = std::getenv(name)) spec.env[name] = value;
    }
    spec.cwd = "/";
    return RunAndCapture(processes_, std::move(spec)).ok();
  }

  static std::string ChosenEngine() {
    const char* chosen = std::getenv("SWAGE_TEST_ENGINE");
    return chosen == nullptr ? "podman" : chosen;
  }

  ProcessRunner& processes_;
  const std::string engine_ = ChosenEngine();
  const std::string name_;
  bool made_ = false;
};

}  // namespace swage
