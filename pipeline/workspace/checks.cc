#include "pipeline/workspace/checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "config/address.h"
#include "config/base/text.h"

namespace swage {
namespace {

constexpr std::size_t kMaxBranchBytes = 200;
constexpr std::size_t kMaxNameBytes = 100;

bool IsAlphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool IsOneOf(char c, std::string_view set) {
  return set.find(c) != std::string_view::npos;
}

// git-check-ref-format(1), per component.
bool IsRefComponent(std::string_view part) {
  return !part.empty() && part.front() != '.' && part.front() != '-' && part.back() != '.' &&
         !part.ends_with(".lock") && part.find("..") == std::string_view::npos;
}

std::string_view AuthorityOf(std::string_view url) {
  const std::size_t start = url.find("://");
  if (start == std::string_view::npos) return {};
  url.remove_prefix(start + 3);
  return url.substr(0, url.find_first_of("/?#"));
}

std::string_view HostOf(std::string_view authority) {
  if (authority.starts_with('[')) return authority.substr(1, authority.find(']') - 1);
  return authority.substr(0, authority.find(':'));
}

struct Version {
  int major = 0, minor = 0, patch = 0;
  auto operator<=>(const Version&) const = default;
};

// The first release of each line that has the fixes of 14 May 2024: CVE-2024-32002 (a submodule's
// hook runs during clone), CVE-2024-32004 and CVE-2024-32465 (code of a local repository runs in
// clone), CVE-2024-32020 and CVE-2024-32021 (hard links and symbolic links into a foreign object
// store). See the release notes of git 2.45.1; Debian 12 ships 2.39.5.
constexpr std::array<Version, 7> kFirstFixed = {
    Version{2, 39, 4}, {2, 40, 2}, {2, 41, 1}, {2, 42, 2}, {2, 43, 4}, {2, 44, 1}, {2, 45, 1}};

bool IsFixed(const Version& version) {
  for (const Version& fixed : kFirstFixed) {
    if (version.major == fixed.major && version.minor == fixed.minor) return version >= fixed;
  }
  return version > kFirstFixed.back();
}

// "git version 2.39.5", "git version 2.45.2 (Apple Git-154)", "git version 2.50.0-rc1".
Version ParseVersion(std::string_view text) {
  std::array<int, 3> numbers = {0, 0, 0};
  std::size_t at = 0;
  for (int& number : numbers) {
    const std::size_t end = std::min(text.find_first_not_of("0123456789", at), text.size());
    number = static_cast<int>(ParseInt(text.substr(at, end - at)).value_or(0));
    if (end == text.size() || text[end] != '.') break;
    at = end + 1;
  }
  return {numbers[0], numbers[1], numbers[2]};
}

}  // namespace

Result<void> CheckBranchName(std::string_view branch) {
  const auto allowed = [](char c) { return IsAlphanumeric(c) || IsOneOf(c, "._/+@#=-"); };
  const auto parts = Split(branch, '/');
  if (branch.size() > kMaxBranchBytes || branch == "HEAD" || branch == "@" ||
      !std::all_of(branch.begin(), branch.end(), allowed) ||
      !std::all_of(parts.begin(), parts.end(), IsRefComponent)) {
    return MakeError(
        ErrorCode::kInvalid,
        fmt::format("refused branch name \"{}\"", Truncate(ToValidUtf8(StripControl(branch)), 80)));
  }
  return Ok();
}

Result<void> CheckCommitSha(const CommitSha& sha) {
  const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if (sha.value.size() != 40 || !std::all_of(sha.value.begin(), sha.value.end(), is_hex)) {
    return MakeError(ErrorCode::kInvalid, "a commit is not named by 40 hexadecimal digits");
  }
  return Ok();
}

Result<std::string> ProtocolFor(std::string_view url, bool allow_file) {
  const std::string shown = Truncate(ToValidUtf8(StripControl(url.substr(0, url.find('?')))), 120);
  const bool clean =
      std::all_of(url.begin(), url.end(), [](char c) { return c > ' ' && c < 0x7f; });
  const std::string_view authority = AuthorityOf(url);
  if (!clean || authority.find('@') != std::string_view::npos) {
    return MakeError(ErrorCode::kInvalid,
                     "refused a git URL with a user name, blanks or control characters");
  }
  if (url.starts_with("https://") && !authority.empty()) return std::string("https");
  if (url.starts_with("http://") && IsLoopback(HostOf(authority))) return std::string("http");
  if (allow_file && (url.starts_with("file:///") || url.starts_with('/')))
    return std::string("file");
  return MakeError(ErrorCode::kInvalid,
                   fmt::format("refused git URL {}: only https, and http to this machine", shown));
}

std::string OriginOf(std::string_view url) {
  const std::string_view authority = AuthorityOf(url);
  return std::string(url.substr(0, url.find("://") + 3)) + std::string(authority);
}

Result<std::string> MirrorName(const RepoRef& repo) {
  const auto fits = [](std::string_view name) {
    return !name.empty() && name.size() <= kMaxNameBytes &&
           std::all_of(name.begin(), name.end(),
                       [](char c) { return IsAlphanumeric(c) || c == '-'; });
  };
  if (!fits(repo.forge) || !fits(repo.id)) {
    return MakeError(ErrorCode::kInvalid, "a repository needs the name of its forge and its id");
  }
  return fmt::format("{}-{}.git", repo.forge, repo.id);
}

Result<void> CheckGitVersion(std::string_view output) {
  constexpr std::string_view kPrefix = "git version ";
  const std::string_view text = Trim(output);
  if (!text.starts_with(kPrefix)) {
    return MakeError(ErrorCode::kInvalid,
                     "cannot tell the version of git; install git 2.39.4 or newer");
  }
  const std::string_view found = text.substr(kPrefix.size());
  if (!IsFixed(ParseVersion(found))) {
    return MakeError(
        ErrorCode::kInvalid,
        fmt::format("git {} has known holes in clone and submodules (CVE-2024-32002 and others); "
                    "install 2.39.4, 2.40.2, 2.41.1, 2.42.2, 2.43.4, 2.44.1, 2.45.1 or newer",
                    Truncate(ToValidUtf8(StripControl(found)), 40)));
  }
  return Ok();
}

}  // namespace swage
