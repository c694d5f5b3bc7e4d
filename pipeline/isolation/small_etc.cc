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
  SWAGE_RETURN_IF_ERROR(MakeDirs(folder, 0755));
  std::string users = "root:x:0:0:root:/root:/usr/sbin/nologin\n";
  std::string groups = "root:x:0:\ntty:x:5:\n";
  if (user.uid != 0) users += fmt::format("swage:x:{}:{}:Swage:/:/bin/sh\n", user.uid, user.gid);
  if (user.gid != 0 && user.gid != 5) groups += fmt::format("swage:x:{}:\n", user.gid);
  users += "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n";
  groups += "nogroup:x:65534:\n";
  for (const auto& [name, bytes] : {std::pair<std::string_view, std::string_view>{"passwd", users},
                                    {"group", groups},
                                    {"hosts", kHosts},
                                    {"nsswitch.conf", kNameServices}}) {
    SWAGE_RETURN_IF_ERROR(WriteFileAtomic(folder / name, bytes, 0644));
  }
  return Ok();
}

}  // namespace

Result<std::vector<EtcEntry>> MakeSmallEtc(const fs::path& folder, const FileOwner& user) {
  SWAGE_RETURN_IF_ERROR(WriteOwn(folder, user));
  const fs::path etc = "/etc";
  std::vector<EtcEntry> entries;
  for (const std::string_view name : {"passwd", "group", "hosts", "nsswitch.conf"}) {
    entries.push_back({folder / name, etc / name});
  }
  for (const std::string_view name : kNames) entries.push_back({etc / name, etc / name});
  std::error_code error;
  for (fs::directory_iterator it(etc, error), end; !error && it != end; it.increment(error)) {
    if (HasPrefix(it->path().filename().string())) entries.push_back({it->path(), it->path()});
  }
  entries.push_back({etc / "resolv.conf", etc / "resolv.conf", true});
  return entries;
}

}  // namespace swage
