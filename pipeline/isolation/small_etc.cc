#include "pipeline/isolation/small_etc.h"

#include <fmt/format.h>

#include <string_view>

#include "config/base/files.h"

namespace swage {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kNames[] = {
    // the dynamic linker and the alternatives that /usr/bin points to
    "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives",
    // certificates that programs trust
    "ssl/certs", "ssl/openssl.cnf", "ca-certificates", "ca-certificates.conf", "pki",
    "crypto-policies",
    // time, languages, formats
    "localtime", "timezone", "locale.alias", "mime.types", "protocols", "services", "os-release",
    "debian_version", "lsb-release", "xml", "sgml", "fonts", "ImageMagick-6", "magic",
    // languages with their settings in /etc
    "perl", "python3", "php", "nodejs", "maven", "gradle", "emacs", "R", "ghc", "texmf"};
// Of a language's version: java-17-openjdk, python3.11.
constexpr std::string_view kPrefixes[] = {"java-", "python3.", "ruby", "gcc", "clang", "llvm"};

constexpr std::string_view kHosts = "127.0.0.1 localhost\n::1 localhost ip6-localhost\n";
constexpr std::string_view kNameServices =
    "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n";

bool HasPrefix(std::string_view name) {
  for (const std::string_view prefix : kPrefixes) {
    if (name.starts_with(prefix)) return true;
  }
  return false;
}

Result<void> WriteOwn(const fs::path& folder, const FileOwner& user) {
  std::string users = "root:x:0:0:root:/root:/usr/sbin/nologin\n";
  std::string groups = "root:x:0:\ntty:x:5:\n";
  if (user.uid != 0) users += fmt::format("swage:x:{}:{}:Swage:/:/bin/sh\n", user.uid, user.gid);
  if (user.gid != 0 && user.gid != 5) groups += fmt::format("swage:x:{}:\n", user.gid);
  users += "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n";
  groups += "nogroup:x:65534:\n";
  for (const auto& [name, bytes] : {std::pair<std::string_view, std::string_view>{"passwd", users},
                                    {"group", groups},
                                    {"hosts", kHosts},
                                    {"nsswitch.conf", kNameServices},
                                    {"resolv.conf", ""}}) {
    SWAGE_RETURN_IF_ERROR(WriteFileAtomic(folder / name, bytes, 0644));
  }
  return Ok();
}

// Links stay links: they point to what the sandbox shows, or to nothing. What cannot be read by the
// bot, no program inside could have read.
void Take(const fs::path& from, const fs::path& to) {
  std::error_code ignored;
  fs::create_directories(to.parent_path(), ignored);
  fs::copy(from, to, fs::copy_options::recursive | fs::copy_options::copy_symlinks, ignored);
}

// Whatever the bot's umask is, another user reads it.
void OpenFolders(const fs::path& folder) {
  constexpr auto kForAll = static_cast<fs::perms>(0755);
  std::error_code error;
  fs::permissions(folder, kForAll, error);
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    std::error_code ignored;
    if (it->is_directory(ignored) && !it->is_symlink(ignored)) {
      fs::permissions(it->path(), kForAll, ignored);
    }
  }
}

}  // namespace

Result<void> MakeSmallEtc(const fs::path& folder, const FileOwner& user) {
  SWAGE_RETURN_IF_ERROR(RemoveTree(folder));
  SWAGE_RETURN_IF_ERROR(MakeDirs(folder, 0755));
  const fs::path etc = "/etc";
  for (const std::string_view name : kNames) Take(etc / name, folder / name);
  for (const fs::path& entry : EntriesOf(etc)) {
    const fs::path name = entry.filename();
    if (HasPrefix(name.string())) Take(entry, folder / name);
  }
  SWAGE_RETURN_IF_ERROR(WriteOwn(folder, user));
  OpenFolders(folder);
  return Ok();
}

}  // namespace swage
