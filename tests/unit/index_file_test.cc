// The judge is git: what it makes of an index, and what it says about one that was made here.
#include "pipeline/workspace/index_file.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <random>

#include "config/base/files.h"
#include "config/base/process.h"
#include "config/base/text.h"
#include "tests/harness/paths.h"

namespace swage {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr std::size_t kHash = GIT_OID_RAWSZ;

std::string Rehashed(std::string body) {
  unsigned char hash[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  EVP_Digest(body.data(), body.size(), hash, &length, EVP_sha1(), nullptr);
  return body.append(reinterpret_cast<const char*>(hash), length);
}

std::string BodyOf(std::string_view index) {
  return std::string(index.substr(0, index.size() - kHash));
}

std::string Extension(std::string_view name, std::string_view bytes) {
  std::string extension(name);
  for (int shift = 24; shift >= 0; shift -= 8) {
    extension.push_back(static_cast<char>(bytes.size() >> shift));
  }
  return extension.append(bytes);
}

std::vector<std::string> PathsOf(std::string_view index) {
  std::vector<std::string> paths;
  const auto entries = ParseIndex(index);
  EXPECT_TRUE(entries.has_value());
  if (!entries) return paths;
  for (const IndexEntry& entry : *entries) paths.emplace_back(entry.path);
  return paths;
}

// As `git ls-files --stage -z` shows them.
std::string StageOf(std::string_view index) {
  std::string stage;
  const auto entries = ParseIndex(index);
  EXPECT_TRUE(entries.has_value());
  if (!entries) return stage;
  for (const IndexEntry& entry : *entries) {
    const git_oid id = entry.Id();
    std::string hex(GIT_OID_HEXSZ, ' ');
    git_oid_fmt(hex.data(), &id);
    stage += fmt::format("{:o} {} 0\t{}", static_cast<unsigned>(entry.Mode()), hex, entry.path);
    stage.push_back('\0');
  }
  return stage;
}

class IndexFileTest : public testing::Test {
 protected:
  IndexFileTest() {
    Git({"init", "--quiet", "--initial-branch=main"});
    Git({"config", "core.symlinks", "true"});
  }

  Result<std::string> TryGit(std::vector<std::string> arguments) {
    ProcessSpec spec;
    spec.argv = std::move(arguments);
    spec.argv.insert(spec.argv.begin(), "git");
    spec.env = {{"PATH", "/usr/local/bin:/usr/bin:/bin"},
                {"HOME", dir_.path().string()},
                {"GIT_AUTHOR_NAME", "Ann"},
                {"GIT_AUTHOR_EMAIL", "ann@example.com"},
                {"GIT_COMMITTER_NAME", "Ann"},
                {"GIT_COMMITTER_EMAIL", "ann@example.com"}};
    spec.cwd = Root();
    return RunAndCapture(*runner_, spec);
  }
  std::string Git(std::vector<std::string> arguments) {
    fs::create_directories(Root());
    const auto output = TryGit(std::move(arguments));
    EXPECT_TRUE(output.ok()) << (output.ok() ? "" : output.error().message);
    return output.ok() ? *output : "";
  }

  fs::path Root() const { return dir_.path() / "tree"; }
  std::string Index() const { return ReadFile(Root() / ".git/index").value(); }
  void SetIndex(std::string_view bytes) const {
    ASSERT_TRUE(WriteFileFast(Root() / ".git/index", bytes).ok());
  }

  // Old, or git would note down that it cannot trust the time.
  void Write(const std::string& path, std::string_view bytes) {
    fs::create_directories((Root() / path).parent_path());
    std::ofstream(Root() / path, std::ios::binary) << bytes;
    fs::last_write_time(Root() / path, fs::file_time_type::clock::now() - std::chrono::hours(24));
  }

  void CommitAll() {
    Git({"add", "--all"});
    Git({"commit", "--quiet", "--allow-empty", "-m", "all"});
  }

  // With names that sort before and after the '/' of a directory.
  void CommitTree() {
    for (const char* path : {"a", "dir-x", "dir.x", "dir/deep/one", "dir/deep/two", "dir/f", "dir0",
                             "exe", "other/f", "other/sub/f", "z"}) {
      Write(path, std::string("content of ") + path);
    }
    CommitAll();
  }

  // The entries that git's own index has for these paths by now.
  IndexUpdates UpdatesFor(const std::vector<std::string>& paths) {
    index_of_git_ = Index();
    IndexUpdates updates;
    for (const std::string& path : paths) updates[path] = std::nullopt;
    const auto entries = ParseIndex(index_of_git_);
    EXPECT_TRUE(entries.has_value());
    for (const IndexEntry& entry : entries.value_or(std::vector<IndexEntry>())) {
      const auto update = updates.find(std::string(entry.path));
      if (update != updates.end()) update->second = entry.bytes;
    }
    return updates;
  }

  // What `git update-index` makes of the files at these paths, and the splice of the same.
  struct Both {
    std::string git, spliced;
  };
  Both Update(const std::vector<std::string>& paths,
              const std::vector<std::string>& how = {"--add", "--remove", "--replace", "--"}) {
    const std::string before = Index();
    std::vector<std::string> arguments = {"update-index"};
    arguments.insert(arguments.end(), how.begin(), how.end());
    arguments.insert(arguments.end(), paths.begin(), paths.end());
    Git(arguments);
    const auto spliced = SpliceIndex(before, UpdatesFor(paths));
    EXPECT_TRUE(spliced.has_value());
    return {Index(), spliced.value_or("")};
  }

  // As git sees the repository with this index.
  std::string SeenWith(std::string_view index) {
    SetIndex(index);
    return Git({"ls-files", "--stage", "--debug", "-v"}) + Git({"status", "--porcelain"}) +
           Git({"fsck", "--strict"}) + Git({"diff-index", "--cached", "HEAD"}) +
           Git({"write-tree"});
  }

  TempDir dir_;
  const std::unique_ptr<ProcessRunner> runner_ =
      MakePosixProcessRunner(test::Program("swage-supervise").string());
  std::string index_of_git_;
};

TEST_F(IndexFileTest, EntriesAreThoseThatGitLists) {
  Write("run.sh", "#!/bin/sh\n");
  fs::permissions(Root() / "run.sh", fs::perms(0755));
  fs::create_symlink("run.sh", Root() / "link");
  Write("dir/name with\ttab \"quotes\" \xff", "x");
  CommitAll();
  Git({"update-index", "--add", "--cacheinfo",
       "160000," + std::string(Trim(Git({"rev-parse", "HEAD"}))) + ",module"});
  EXPECT_EQ(StageOf(Index()), Git({"ls-files", "--stage", "-z"}));
}

TEST_F(IndexFileTest, TheSmallestEntryMayBeAllThereIs) {
  Write("a", "1");
  Git({"add", "a"});
  EXPECT_EQ(StageOf(Index()), Git({"ls-files", "--stage", "-z"}));
}

TEST_F(IndexFileTest, AnEmptyIndexIsOne) {
  Git({"read-tree", "--empty"});
  const std::string empty = Index();
  EXPECT_THAT(PathsOf(empty), IsEmpty());
  Write("b", "1");
  const Both both = Update({"b"});
  EXPECT_EQ(both.spliced, both.git);
  const auto without = SpliceIndex(both.git, {{"b", std::nullopt}});
  ASSERT_TRUE(without.has_value());
  EXPECT_THAT(PathsOf(*without), IsEmpty());
}

TEST_F(IndexFileTest, WithoutUpdatesItStaysAsItIs) {
  CommitTree();
  EXPECT_EQ(SpliceIndex(Index(), {}), Index());
}

// Byte for byte, with what git keeps about trees.
TEST_F(IndexFileTest, ASpliceIsWhatGitWrites) {
  CommitTree();
  struct {
    const char* what;
    std::vector<std::string> written, removed;
  } const steps[] = {
      {"change", {"dir/f"}, {}},
      {"change first and last", {"a", "z"}, {}},
      {"add", {"dir/g"}, {}},
      {"add around a directory", {"dir!", "dir,", "dir-", "dir/-", "dir1"}, {}},
      {"add before all, after all", {"A", "zz/z", "\xff\xfe"}, {}},
      {"add a directory", {"new/deep/er/f"}, {}},
      {"remove", {}, {"dir0"}},
      {"remove first and last", {}, {"A", "\xff\xfe"}},
      {"remove all of a directory", {}, {"other/f", "other/sub/f"}},
      {"all of these", {"dir/deep/two", "dir2", "b"}, {"dir-x", "dir/f"}},
  };
  for (const auto& step : steps) {
    SCOPED_TRACE(step.what);
    Git({"write-tree"});  // so that all trees are known
    std::vector<std::string> paths;
    for (const std::string& path : step.written) {
      Write(path, std::string(step.what) + path);
      paths.push_back(path);
    }
    for (const std::string& path : step.removed) {
      fs::remove(Root() / path);
      paths.push_back(path);
    }
    const Both both = Update(paths);
    EXPECT_EQ(both.spliced, both.git);
    EXPECT_EQ(SeenWith(both.spliced), SeenWith(both.git));
  }
}

TEST_F(IndexFileTest, ModesAndLinksChangeAsInGit) {
  CommitTree();
  fs::permissions(Root() / "exe", fs::perms(0755));
  fs::remove(Root() / "dir/f");
  fs::create_symlink("deep", Root() / "dir/f");
  const Both both = Update({"exe", "dir/f"});
  EXPECT_EQ(both.spliced, both.git);
  const std::string seen = SeenWith(both.spliced);
  EXPECT_THAT(seen, HasSubstr("100755"));
  EXPECT_THAT(seen, HasSubstr("120000"));
}

TEST_F(IndexFileTest, AFileBecomesADirectoryAndTheOtherWayRound) {
  CommitTree();
  fs::remove(Root() / "a");
  Write("a/b/c", "1");
  fs::remove_all(Root() / "dir");
  Write("dir", "2");
  const std::string before = Index();
  Git({"add", "--all"});
  const auto spliced = SpliceIndex(
      before, UpdatesFor({"a", "a/b/c", "dir", "dir/deep/one", "dir/deep/two", "dir/f"}));
  ASSERT_TRUE(spliced.has_value());
  EXPECT_THAT(PathsOf(*spliced), ElementsAre("a/b/c", "dir", "dir-x", "dir.x", "dir0", "exe",
                                             "other/f", "other/sub/f", "z"));
  const std::string git = index_of_git_;
  EXPECT_EQ(SeenWith(*spliced), SeenWith(git));
}

// In the file, the length of a longer one is cut off at 4095.
TEST_F(IndexFileTest, PathsMayBeLongerThanTheirLengthCanSay) {
  CommitTree();
  const std::string id(Trim(Git({"rev-parse", "HEAD:a"})));
  const std::string folder(100, 'd');
  std::string path;
  while (path.size() < 4'000) path += folder + "/";
  for (const std::size_t size : {4'094, 4'095, 4'096, 5'000}) {
    const std::string name = path + std::string(size - path.size(), 'f');
    const std::string before = Index();
    Git({"update-index", "--add", "--cacheinfo", "100644," + id + "," + name});
    const auto spliced = SpliceIndex(before, UpdatesFor({name}));
    ASSERT_EQ(spliced, Index()) << size;
    EXPECT_EQ(StageOf(*spliced), Git({"ls-files", "--stage", "-z"}));
    const auto without = SpliceIndex(*spliced, {{name, std::nullopt}});
    ASSERT_TRUE(without.has_value());
    EXPECT_EQ(PathsOf(*without), PathsOf(before));
    std::map<std::string, BareEntry> bare;
    git_oid_fromstr(&bare[name].id, id.c_str());
    bare[name].mode = GIT_FILEMODE_BLOB;
    EXPECT_EQ(StageOf(RenderIndex(bare)),
              fmt::format("100644 {} 0\t{}", id, name) + std::string(1, '\0'));
  }
  Git({"write-tree"});
}

TEST_F(IndexFileTest, EntriesOfVersionThreeKeepTheirFlags) {
  CommitTree();
  Write("later", "not yet");
  Git({"add", "--intent-to-add", "later"});
  Git({"update-index", "--skip-worktree", "dir/f"});
  Git({"update-index", "--assume-unchanged", "dir0"});
  ASSERT_EQ(Index()[7], '\3');
  EXPECT_EQ(SpliceIndex(Index(), {}), Index());
  Write("dir/deep/one", "changed");
  Write("dir-y", "added");
  const Both both = Update({"dir/deep/one", "dir-y"});
  EXPECT_EQ(both.spliced, both.git);
  const std::string seen = SeenWith(both.spliced);
  EXPECT_EQ(seen, SeenWith(both.git));
  EXPECT_THAT(seen, HasSubstr("S 100644"));  // skip-worktree
  EXPECT_THAT(seen, HasSubstr("h 100644"));  // assume-unchanged
  EXPECT_THAT(seen, HasSubstr(" A later"));
}

TEST_F(IndexFileTest, AnUpdateThatTakesVersionThreeIsNotPutIntoVersionTwo) {
  CommitTree();
  const std::string before = Index();
  ASSERT_EQ(before[7], '\2');
  Write("later", "not yet");
  Git({"add", "--intent-to-add", "later"});
  EXPECT_EQ(SpliceIndex(before, UpdatesFor({"later"})), std::nullopt);
}

TEST_F(IndexFileTest, OnlyTheTreesAboveAnUpdateAreForgotten) {
  CommitTree();
  const std::string_view zero("\0", 1);
  Write("dir/deep/one", "changed");
  const std::string spliced = Update({"dir/deep/one"}).spliced;
  const auto known = [&](std::string_view name, std::string_view counts) {
    return HasSubstr(fmt::format("{}{}{}\n", name, zero, counts));
  };
  EXPECT_THAT(spliced, known("dir", "-1 1"));
  EXPECT_THAT(spliced, known("deep", "-1 0"));
  EXPECT_THAT(spliced, known("other", "2 1"));
  EXPECT_THAT(spliced, known("sub", "1 0"));
  SetIndex(spliced);
  Write("other/f", "changed");
  const std::string again = Update({"other/f"}).spliced;
  EXPECT_THAT(again, known("dir", "-1 1"));
  EXPECT_THAT(again, known("other", "-1 1"));
  EXPECT_THAT(again, known("sub", "1 0"));
}

TEST_F(IndexFileTest, WhatGitKeepsAndMayDoWithoutGoes) {
  CommitTree();
  const std::string plain = Index();
  const std::string more =
      Rehashed(BodyOf(plain) + Extension("UNTR", "cache") + Extension("ZZZZ", ""));
  EXPECT_EQ(SpliceIndex(more, {}), plain);
  EXPECT_EQ(PathsOf(more), PathsOf(plain));
  Git({"update-index", "--force-untracked-cache"});
  Git({"status", "--porcelain"});
  ASSERT_THAT(Index(), HasSubstr("UNTR"));
  const auto spliced = SpliceIndex(Index(), {});
  ASSERT_TRUE(spliced.has_value());
  EXPECT_THAT(*spliced, Not(HasSubstr("UNTR")));
  const std::string git = Index();
  EXPECT_EQ(SeenWith(*spliced), SeenWith(git));
}

TEST_F(IndexFileTest, TreesThatMakeNoSenseAreForgottenAltogether) {
  CommitTree();
  const std::string whole = BodyOf(Index());
  const std::string entries = whole.substr(0, whole.find("TREE"));
  const std::string id(kHash, 'i');
  const auto trees = [](std::string name, std::string_view rest) {
    return name.append(1, '\0').append(rest);
  };
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += trees("d", "-1 1\n");
  const std::string senseless[] = {
      "",
      "no end",
      trees("", ""),
      trees("", "1 0"),
      trees("", "\n"),
      trees("", "1\n") + id,
      trees("", "1 0 0\n") + id,
      trees("", "x 0\n") + id,
      trees("", "1 0\n") + id.substr(1),
      trees("", "1 0\n") + id + "more",
      trees("", "1 1\n") + id,
      trees("", "1 -1\n") + id,
      trees("", "1 4000000000000000000\n") + id,
      trees("", "99999999999999999999 0\n") + id,
      deep,
  };
  for (const std::string& one : senseless) {
    const auto spliced =
        SpliceIndex(Rehashed(entries + Extension("TREE", one)), {{"a", std::nullopt}});
    ASSERT_TRUE(spliced.has_value()) << one.substr(0, 100);
    EXPECT_THAT(*spliced, Not(HasSubstr("TREE"))) << one.substr(0, 100);
  }
}

TEST_F(IndexFileTest, TheRareKindsAreLeftToGit) {
  const auto refused = [&] {
    const std::string index = Index();
    return !ParseIndex(index) && !SpliceIndex(index, {});
  };
  CommitTree();
  EXPECT_FALSE(refused());
  const std::string good = Index();
  SetIndex(Rehashed(BodyOf(good) + Extension("link", std::string(kHash, '\0'))));
  EXPECT_TRUE(refused()) << "an extension that has to be understood";
  SetIndex(Rehashed(BodyOf(good) + Extension("sdir", "")));
  EXPECT_TRUE(refused()) << "a sparse index";
  SetIndex(good);
  Git({"update-index", "--index-version", "4"});
  EXPECT_TRUE(refused()) << "version 4";
  SetIndex(good);
  Git({"update-index", "--split-index"});
  EXPECT_TRUE(refused()) << "a split index";
  SetIndex(good);
  Git({"checkout", "--quiet", "-b", "other"});
  Write("a", "theirs");
  CommitAll();
  Git({"checkout", "--quiet", "main"});
  Write("a", "ours");
  CommitAll();
  EXPECT_FALSE(TryGit({"merge", "other"}).ok());
  EXPECT_TRUE(refused()) << "a conflict";
}

TEST_F(IndexFileTest, LongerIdsAreLeftToGit) {
  fs::remove_all(Root() / ".git");
  Git({"init", "--quiet", "--object-format=sha256"});
  for (int i = 0; i < 20; ++i) {
    Write("f" + std::to_string(i), "content");
    Git({"add", "--all"});
    EXPECT_FALSE(ParseIndex(Index()));
    EXPECT_EQ(SpliceIndex(Index(), {}), std::nullopt);
  }
}

TEST_F(IndexFileTest, AHashOfZerosIsNone) {
  CommitTree();
  const std::string unhashed = BodyOf(Index()) + std::string(kHash, '\0');
  EXPECT_EQ(PathsOf(unhashed), PathsOf(Index()));
  EXPECT_EQ(SpliceIndex(unhashed, {}), Index());
}

TEST_F(IndexFileTest, WhatIsRenderedIsAnIndexForGit) {
  CommitTree();
  std::map<std::string, BareEntry> bare;
  const std::string index = Index();
  const auto entries = ParseIndex(index);
  ASSERT_TRUE(entries.has_value());
  for (const IndexEntry& entry : *entries) {
    bare[std::string(entry.path)] = {entry.Mode(), entry.Id()};
  }
  const std::string stage = Git({"ls-files", "--stage"});
  const std::string tree = Git({"write-tree"});
  SetIndex(RenderIndex(bare));
  EXPECT_EQ(Git({"ls-files", "--stage"}), stage);
  EXPECT_EQ(Git({"write-tree"}), tree);
  EXPECT_EQ(Git({"status", "--porcelain"}), "");
  Git({"fsck", "--strict"});
  EXPECT_EQ(SpliceIndex(RenderIndex({}), {}), RenderIndex({}));
}

TEST_F(IndexFileTest, WhatIsDamagedIsRefused) {
  CommitTree();
  const std::string index = Index();
  for (std::size_t size = 0; size < index.size(); ++size) {
    EXPECT_FALSE(ParseIndex(index.substr(0, size))) << size;
    EXPECT_FALSE(SpliceIndex(index.substr(0, size), {})) << size;
  }
  for (std::size_t at = 0; at < index.size(); ++at) {
    std::string damaged = index;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    EXPECT_FALSE(ParseIndex(damaged)) << at;
    EXPECT_FALSE(SpliceIndex(damaged, {})) << at;
  }
  EXPECT_FALSE(SpliceIndex(std::string(index.size(), '\0'), {})) << "as after a power failure";
}

// Under a hash that is right: git would have read another path than this, or none.
TEST_F(IndexFileTest, EntriesThatContradictThemselvesAreRefused) {
  const auto refused = [](const std::string& body) {
    return !ParseIndex(Rehashed(body)) && !SpliceIndex(Rehashed(body), {});
  };
  const BareEntry entry{GIT_FILEMODE_BLOB, {}};
  const std::string body = BodyOf(RenderIndex({{"aa", entry}, {"bb", entry}}));
  ASSERT_FALSE(refused(body));
  const std::size_t first = body.find("aa"), second = body.find("bb");
  const auto with = [&](std::size_t at, char c) {
    std::string changed = body;
    changed[at] = c;
    return changed;
  };
  EXPECT_TRUE(refused(with(first - 1, 1))) << "longer than its length";
  EXPECT_TRUE(refused(with(first - 1, 3))) << "shorter than its length";
  EXPECT_TRUE(refused(with(first - 2, 0x40))) << "extended, in version 2";
  EXPECT_TRUE(refused(with(first - 2, 0x10))) << "of a conflict";
  EXPECT_TRUE(refused(with(first, 'c'))) << "in no order";
  EXPECT_TRUE(refused(with(first, 'b').replace(first, 2, "bb"))) << "twice";
  EXPECT_TRUE(refused(with(first, '\0'))) << "without a path";
  EXPECT_TRUE(refused(body.substr(0, second + 2))) << "without its padding";
  EXPECT_TRUE(refused(with(11, 3))) << "fewer than said";
  EXPECT_TRUE(refused(with(11, 1))) << "more than said";
  EXPECT_TRUE(refused(with(8, '\xff'))) << "more than there can be";
}

using Model = std::map<std::string, std::string>;  // the bytes of entries by path

Model ModelOf(const std::vector<IndexEntry>& entries) {
  Model model;
  for (const IndexEntry& entry : entries) {
    EXPECT_TRUE(model.emplace(entry.path, entry.bytes).second);
  }
  return model;
}

Model Updated(Model model, const IndexUpdates& updates) {
  for (const auto& [path, bytes] : updates) {
    if (bytes) {
      model[path] = *bytes;
    } else {
      model.erase(path);
    }
  }
  return model;
}

class Dice {
 public:
  explicit Dice(unsigned seed) : random_(seed) {}
  std::size_t Below(std::size_t limit) { return random_() % std::max<std::size_t>(limit, 1); }

  std::string Path() {
    std::string path;
    for (std::size_t left = 1 + Below(8); left > 0; --left) path += "ab.-/0\xff"[Below(7)];
    return path;
  }
  IndexUpdates Updates(std::size_t most) {
    IndexUpdates updates;
    for (std::size_t left = Below(most); left > 0; --left) {
      const std::string path = Path();
      updates[path] = std::nullopt;
      if (Below(3) > 0) updates[path] = EntryFor(path);
    }
    return updates;
  }
  std::string EntryFor(const std::string& path) {
    BareEntry entry{GIT_FILEMODE_BLOB, {}};
    entry.id.id[0] = static_cast<unsigned char>(Below(256));
    const std::string index = RenderIndex({{path, entry}});
    return std::string(ParseIndex(index).value().front().bytes);
  }
  void Damage(std::string& bytes) {
    const std::size_t at = Below(bytes.size());
    switch (Below(7)) {
      case 0:
        if (!bytes.empty()) bytes[at] = static_cast<char>(bytes[at] ^ (1 << Below(8)));
        return;
      case 1:
        if (!bytes.empty()) bytes[at] = "\0\xff\x7f\x80/ \n0"[Below(8)];
        return;
      case 2:
        bytes.resize(at);
        return;
      case 3:
        bytes.erase(at, Below(80));
        return;
      case 4:
        bytes.insert(at, bytes.substr(Below(bytes.size()), Below(200)));
        return;
      case 5:
        bytes.insert(at, std::string(1 + Below(9), static_cast<char>(Below(256))));
        return;
      default:  // a number
        for (std::size_t i = at; i < std::min(at + 4, bytes.size()); ++i) {
          bytes[i] = static_cast<char>(Below(2) == 0 ? 0xff : Below(256));
        }
    }
  }

 private:
  std::mt19937 random_;
};

// Where the memory ends with the bytes, so that a sanitizer sees who reads on.
class Exactly {
 public:
  explicit Exactly(std::string_view bytes) : bytes_(bytes.begin(), bytes.end()) {}
  std::string_view View() const { return {bytes_.data(), bytes_.size()}; }

 private:
  const std::vector<char> bytes_;
};

TEST(IndexFile, SplicesAreThoseOfAMap) {
  for (unsigned seed = 1; seed <= 500; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Dice dice(seed);
    Model model;
    std::string index = RenderIndex({});
    for (int step = 0; step < 5; ++step) {
      const IndexUpdates updates = dice.Updates(40);
      const auto spliced = SpliceIndex(Exactly(index).View(), updates);
      ASSERT_TRUE(spliced.has_value());
      index = *spliced;
      model = Updated(std::move(model), updates);
      ASSERT_EQ(ModelOf(ParseIndex(index).value()), model);
    }
  }
}

TEST_F(IndexFileTest, WhateverTheDamageTheResultIsRightOrNone) {
  CommitTree();
  const std::string two = BodyOf(Index());
  Git({"update-index", "--skip-worktree", "dir/f", "z"});
  const std::string three = BodyOf(Index());
  int taken = 0;
  for (unsigned seed = 1; seed <= 10'000; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Dice dice(seed);
    std::string body = seed % 2 == 0 ? two : three;
    for (std::size_t left = 1 + dice.Below(3); left > 0; --left) dice.Damage(body);
    const std::string hashed = Rehashed(body);  // or hardly anything would get past the hash
    const Exactly damaged(hashed);
    const IndexUpdates updates = dice.Updates(6);
    const auto entries = ParseIndex(damaged.View());
    const auto spliced = SpliceIndex(damaged.View(), updates);
    ASSERT_EQ(entries.has_value(), spliced.has_value());
    if (!entries) continue;
    ++taken;
    const auto after = ParseIndex(*spliced);
    ASSERT_TRUE(after.has_value());
    ASSERT_EQ(ModelOf(*after), Updated(ModelOf(*entries), updates));
  }
  EXPECT_GT(taken, 100);
  EXPECT_LT(taken, 9'000);
}

}  // namespace
}  // namespace swage
