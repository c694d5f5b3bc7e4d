// A container image made without any network: one static program under many names.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <string>

#include "config/base/files.h"
#include "config/base/process.h"

namespace swage {

class EscapeImage {
 public:
  /// Without podman or busybox there is no image, and its name is that of none.
  EscapeImage(ProcessRunner& processes, const std::filesystem::path& scratch)
      : processes_(processes), name_("localhost/swage-escapes:" + std::to_string(getpid())) {
    namespace fs = std::filesystem;
    const fs::path bin = scratch / "image" / "bin";
    std::error_code error;
    fs::create_directories(bin);
    fs::copy_file("/bin/busybox", bin / "busybox", error);
    for (const char* name : {"sh", "cat", "env", "sort", "grep", "touch", "sleep", "echo"}) {
      fs::create_symlink("busybox", bin / name, error);
    }
    const std::string archive = (scratch / "image.tar").string();
    made_ = Run({"tar", "-C", (scratch / "image").string(), "-cf", archive, "."}) &&
            Run({"podman", "import", "--quiet", archive, name_});
  }
  ~EscapeImage() {
    if (made_) Run({"podman", "rmi", "--force", name_});
  }
  EscapeImage(const EscapeImage&) = delete;
  EscapeImage& operator=(const EscapeImage&) = delete;
  const std::string& Name() const { return name_; }

 private:
  bool Run(std::vector<std::string> argv) {
    ProcessSpec spec;
    spec.argv = std::move(argv);
    spec.env = {{"PATH", "/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin:/bin"}};
    if (const char* home = std::getenv("HOME")) spec.env["HOME"] = home;
    spec.cwd = "/";
    return RunAndCapture(processes_, std::move(spec)).ok();
  }

  ProcessRunner& processes_;
  const std::string name_;
  bool made_ = false;
};

}  // namespace swage
