// Tmpfs: a small disk of one's own, to be filled. Needs the right to mount.
#pragma once

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "config/base/files.h"

namespace swage::test {

class Tmpfs {
 public:
  explicit Tmpfs(const std::string& size) {
    mounted_ = mount("tmpfs", path().c_str(), "tmpfs", 0, ("size=" + size).c_str()) == 0;
  }
  /// Whoever used it is gone.
  ~Tmpfs() {
    if (mounted_) umount2(path().c_str(), MNT_DETACH);
  }
  Tmpfs(const Tmpfs&) = delete;
  Tmpfs& operator=(const Tmpfs&) = delete;

  /// False: this user may not mount.
  bool mounted() const { return mounted_; }
  const std::filesystem::path& path() const { return dir_.path(); }

  /// Writes until nothing more goes in.
  void Fill() {
    const Fd fd(open(filler().c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    const std::string page(4'096, 'x');
    for (std::size_t size = page.size(); size > 0; size /= 2) {
      while (write(fd.get(), page.data(), size) == static_cast<ssize_t>(size)) {
      }
    }
  }
  void MakeRoom() { std::filesystem::remove(filler()); }

 private:
  std::filesystem::path filler() const { return path() / "filler"; }

  TempDir dir_{"swage-tmpfs-"};
  bool mounted_ = false;
};

}  // namespace swage::test
