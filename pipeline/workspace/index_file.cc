#include "pipeline/workspace/index_file.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "config/base/result.h"
#include "config/base/text.h"

namespace swage {
namespace {

constexpr std::string_view kSignature = "DIRC";
constexpr std::string_view kTrees = "TREE";
constexpr std::string_view kUnknownTree = "-1";
constexpr std::uint32_t kPlain = 2, kExtended = 3;  // versions
constexpr std::size_t kHeader = 12;                 // signature, version, number of entries
constexpr std::size_t kExtensionHeader = 8;         // name, size
constexpr std::size_t kModeAt = 24, kIdAt = 40, kFlagsAt = 60, kPathAt = 62;  // in an entry
constexpr std::size_t kMoreFlags = 2;
constexpr std::size_t kAlignment = 8;
constexpr unsigned kStageFlags = 0x3000, kExtendedFlag = 0x4000, kMaxLength = 0xfff;
constexpr int kMaxDepth = 1000;  // of directories

std::uint32_t ReadNumber(std::string_view bytes, std::size_t at, std::size_t size = 4) {
  std::uint32_t number = 0;
  for (const char c : bytes.substr(at, size)) number = number << 8 | static_cast<unsigned char>(c);
  return number;
}

void AppendNumber(std::string& to, std::uint32_t number, unsigned size = 4) {
  for (unsigned left = size; left-- > 0;) to.push_back(static_cast<char>(number >> (8 * left)));
}

std::string HashOf(std::string_view bytes) {
  unsigned char hash[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  SWAGE_CHECK(EVP_Digest(bytes.data(), bytes.size(), hash, &length, EVP_sha1(), nullptr) == 1);
  return {reinterpret_cast<const char*>(hash), length};
}

bool IsExtended(std::string_view entry) {
  return (ReadNumber(entry, kFlagsAt, 2) & kExtendedFlag) != 0;
}

std::string Header(std::uint32_t version, std::size_t entries) {
  std::string header(kSignature);
  AppendNumber(header, version);
  AppendNumber(header, static_cast<std::uint32_t>(entries));
  return header;
}

unsigned LengthField(std::string_view path) {
  return static_cast<unsigned>(std::min<std::size_t>(path.size(), kMaxLength));
}

std::size_t Padded(std::size_t size) {
  return (size / kAlignment + 1) * kAlignment;  // at least one zero
}

// Of an index: its entries, then the extensions.
class Reader {
 public:
  /// False: not for us.
  bool Open(std::string_view index) {
    if (index.size() < kHeader + GIT_OID_RAWSZ || !index.starts_with(kSignature)) return false;
    body_ = index.substr(0, index.size() - GIT_OID_RAWSZ);
    version_ = ReadNumber(body_, 4);
    count_ = ReadNumber(body_, 8);
    if (version_ != kPlain && version_ != kExtended) return false;
    const std::string_view hash = index.substr(body_.size());
    return hash == std::string(GIT_OID_RAWSZ, '\0') || hash == HashOf(body_);
  }

  bool NextEntry(IndexEntry& entry) {
    if (body_.size() - at_ <= kPathAt) return false;
    const unsigned flags = ReadNumber(body_, at_ + kFlagsAt, 2);
    const bool extended = IsExtended(body_.substr(at_));
    if ((flags & kStageFlags) != 0 || (extended && version_ != kExtended)) return false;
    const std::size_t path = at_ + kPathAt + (extended ? kMoreFlags : 0);
    const std::size_t end = body_.find('\0', path);
    if (end == std::string_view::npos || end == path) return false;
    const std::size_t size = Padded(end - at_);
    if (size > body_.size() - at_) return false;
    const IndexEntry next{body_.substr(path, end - path), body_.substr(at_, size)};
    if ((flags & kMaxLength) != LengthField(next.path) || next.path <= last_) return false;
    entry = next;
    last_ = next.path;
    at_ += size;
    return true;
  }

  /// False, too, for one that git has to understand.
  bool NextExtension(std::string_view& name, std::string_view& bytes) {
    if (body_.size() - at_ < kExtensionHeader) return false;
    name = body_.substr(at_, 4);
    if (name[0] < 'A' || name[0] > 'Z') return false;
    const std::size_t size = ReadNumber(body_, at_ + 4);
    at_ += kExtensionHeader;
    if (size > body_.size() - at_) return false;
    bytes = body_.substr(at_, size);
    at_ += size;
    return true;
  }

  bool AtEnd() const { return at_ == body_.size(); }
  std::uint32_t Version() const { return version_; }
  std::size_t Count() const { return count_; }

 private:
  std::string_view body_;
  std::size_t at_ = kHeader;
  std::uint32_t version_ = 0;
  std::size_t count_ = 0;
  std::string_view last_;  // path
};

// Copies what git knows about a directory and those in it ("NAME\0FILES DIRECTORIES\n", then the
// tree's id unless FILES is "-1", then the directories), but for what is no longer true.
class Trees {
 public:
  Trees(std::string_view from, const IndexUpdates& updates) : from_(from), updates_(updates) {}

  std::optional<std::string> Copy() {
    if (!CopyDirectory("", 0) || !from_.empty()) return std::nullopt;
    return std::move(to_);
  }

 private:
  bool CopyDirectory(const std::string& parent, int depth) {
    const std::size_t name_end = from_.find('\0');
    const std::size_t line_end = from_.find('\n', name_end);
    if (depth > kMaxDepth || name_end == std::string_view::npos ||
        line_end == std::string_view::npos) {
      return false;
    }
    const std::string_view name = from_.substr(0, name_end);
    const auto counts = Split(from_.substr(name_end + 1, line_end - name_end - 1), ' ');
    if (counts.size() != 2) return false;
    const bool known = counts[0] != kUnknownTree;
    const auto directories = ParseInt(counts[1]);
    if (!directories || (known && !ParseInt(counts[0]))) return false;
    const std::size_t size = line_end + 1 + (known ? GIT_OID_RAWSZ : 0);
    if (size > from_.size()) return false;

    const std::string path = depth == 0 ? "" : parent + std::string(name) + "/";
    if (known && IsChanged(path)) {
      to_.append(name).push_back('\0');
      to_.append(kUnknownTree).append(" ").append(counts[1]).push_back('\n');
    } else {
      to_.append(from_.substr(0, size));
    }
    from_.remove_prefix(size);
    for (auto left = *directories; left > 0; --left) {
      if (!CopyDirectory(path, depth + 1)) return false;
    }
    return true;
  }

  bool IsChanged(const std::string& directory) const {
    const auto first = updates_.lower_bound(directory);
    return first != updates_.end() && first->first.starts_with(directory);
  }

  std::string_view from_;
  const IndexUpdates& updates_;
  std::string to_;
};

// Those that stay true. False: damaged, or a rare kind.
bool AppendExtensions(Reader& reader, const IndexUpdates& updates, std::string& to) {
  while (!reader.AtEnd()) {
    std::string_view name, bytes;
    if (!reader.NextExtension(name, bytes)) return false;
    if (name != kTrees) continue;
    const auto trees = Trees(bytes, updates).Copy();
    if (!trees) continue;
    to.append(kTrees);
    AppendNumber(to, static_cast<std::uint32_t>(trees->size()));
    to.append(*trees);
  }
  return true;
}

}  // namespace

git_filemode_t IndexEntry::Mode() const {
  return static_cast<git_filemode_t>(ReadNumber(bytes, kModeAt + 2, 2));  // the rest is unused
}

git_oid IndexEntry::Id() const {
  git_oid id;
  std::copy_n(bytes.data() + kIdAt, GIT_OID_RAWSZ, id.id);
  return id;
}

std::string RenderIndex(const std::map<std::string, BareEntry>& entries) {
  std::string index = Header(kPlain, entries.size());
  for (const auto& [path, entry] : entries) {
    const std::size_t start = index.size();
    index.append(kModeAt, '\0');
    AppendNumber(index, entry.mode);
    index.append(kIdAt - kModeAt - 4, '\0');
    index.append(reinterpret_cast<const char*>(entry.id.id), GIT_OID_RAWSZ);
    AppendNumber(index, LengthField(path), 2);
    index.append(path);
    index.resize(start + Padded(index.size() - start));
  }
  return index += HashOf(index);
}

std::optional<std::vector<IndexEntry>> ParseIndex(std::string_view index) {
  Reader reader;
  if (!reader.Open(index)) return std::nullopt;
  std::vector<IndexEntry> entries;
  for (std::size_t left = reader.Count(); left > 0; --left) {
    if (!reader.NextEntry(entries.emplace_back())) return std::nullopt;
  }
  while (!reader.AtEnd()) {
    std::string_view name, bytes;
    if (!reader.NextExtension(name, bytes)) return std::nullopt;
  }
  return entries;
}

std::optional<std::string> SpliceIndex(std::string_view index, const IndexUpdates& updates) {
  Reader reader;
  if (!reader.Open(index)) return std::nullopt;
  std::string spliced = Header(reader.Version(), 0);
  spliced.reserve(index.size() + index.size() / 8);
  std::size_t count = 0;
  bool fits = true;
  auto next = updates.begin();
  const auto take_next = [&] {
    if (next->second) {
      fits = fits && (reader.Version() == kExtended || !IsExtended(*next->second));
      spliced.append(*next->second);
      ++count;
    }
    ++next;
  };
  for (std::size_t left = reader.Count(); left > 0; --left) {
    IndexEntry entry;
    if (!reader.NextEntry(entry)) return std::nullopt;
    while (next != updates.end() && next->first < entry.path) take_next();
    if (next != updates.end() && next->first == entry.path) {
      take_next();
    } else {
      spliced.append(entry.bytes);
      ++count;
    }
  }
  while (next != updates.end()) take_next();
  spliced.replace(0, kHeader, Header(reader.Version(), count));
  if (!fits || !AppendExtensions(reader, updates, spliced)) return std::nullopt;
  return spliced += HashOf(spliced);
}

}  // namespace swage
