// The whole tree keeps to the rules of source_rules.h, and each rule can fail.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <set>

#include "config/base/files.h"
#include "config/base/text.h"
#include "tests/harness/paths.h"
#include "tests/harness/source_rules.h"

namespace swage::test {
namespace {

namespace fs = std::filesystem;

std::string All(const std::vector<std::string>& lines) {
  return Join(lines, "\n");
}

// Every C++ file of the tree, by its path below the root.
std::map<std::string, std::string> Sources() {
  const fs::path root = SourcePath();
  std::map<std::string, std::string> sources;
  for (const auto* folder : {"config", "forge", "pipeline", "bot", "tests", "deploy"}) {
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      const fs::path& file = entry.path();
      if (file.extension() != ".cc" && file.extension() != ".h") continue;
      if (file.string().find("/node_modules/") != std::string::npos) continue;
      auto text = ReadFile(file);
      EXPECT_TRUE(text.ok()) << file;
      if (text.ok()) sources[fs::relative(file, root).string()] = *std::move(text);
    }
  }
  return sources;
}

TEST(Layering, TheTreeKeepsItsRules) {
  const auto sources = Sources();
  ASSERT_GT(sources.size(), 50U);
  std::vector<std::string> breaches;
  for (const auto& [path, text] : sources) {
    for (std::string& breach : Breaches(path, text)) breaches.push_back(std::move(breach));
  }
  EXPECT_EQ(All(breaches), "");
}

// Two types of one name in one namespace are one type to the linker, which takes either's
// functions.
TEST(Layering, NoTwoTypesShareAName) {
  std::map<std::string, std::set<std::string>> where;
  for (const auto& [path, text] : Sources()) {
    // Each suite is a program of its own.
    const std::string program = path.starts_with("tests/") ? path.substr(0, path.find('/', 6)) : "";
    for (const std::string& type : DefinedTypes(text)) where[program + " " + type].insert(path);
  }
  for (const auto& [type, paths] : where) {
    EXPECT_EQ(paths.size(), 1U) << type << " is defined in " << All({paths.begin(), paths.end()});
  }
}

TEST(Layering, TheTopLevelIsFixed) {
  const std::set<std::string> fixed = {"CMakeLists.txt", "bot",      "config", "deploy",
                                       "forge",          "pipeline", "tests",  "README.md"};
  for (const auto& entry : fs::directory_iterator(SourcePath())) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(".") || name.starts_with("build")) continue;
    EXPECT_TRUE(fixed.contains(name)) << name;
  }
}

TEST(SourceRules, RefuseIncludesThatPointRight) {
  EXPECT_EQ(All(Breaches("config/a.h", "#include \"forge/b.h\"\n")),
            "config/a.h:1: includes forge/b.h, which stands to its right");
  for (const auto& [path, target] :
       std::vector<std::pair<const char*, const char*>>{{"config/base/a.cc", "config/settings.h"},
                                                        {"forge/a.cc", "pipeline/task.h"},
                                                        {"pipeline/a.h", "bot/cli.h"},
                                                        {"bot/a.cc", "tests/harness/box.h"}}) {
    EXPECT_EQ(Breaches(path, std::string("\n#include \"") + target + "\"\n").size(), 1U) << path;
    EXPECT_TRUE(Breaches(target, std::string("#include \"") + path + "\"\n").empty()) << path;
  }
  EXPECT_EQ(Breaches("bot/a.cc", "#include \"../forge/forge.h\"\n").size(), 1U);
}

TEST(SourceRules, KeepForgeNamesInTheirFolders) {
  for (const auto* code : {"if (kind == \"github\") {}", "MakeGitLabForge();", "GithubForge f;",
                           "#include \"forge/gitlab/api.h\"", "const char* kGitea = 0;",
                           "int github_id;", "R\"(x github y)\""}) {
    EXPECT_EQ(Breaches("pipeline/a.cc", code).size(), 1U) << code;
    EXPECT_TRUE(Breaches("bot/main.cc", code).empty()) << code;
  }
  EXPECT_TRUE(Breaches("pipeline/a.cc", "struct GitLabel {};").empty());
  EXPECT_TRUE(Breaches("pipeline/a.cc", "// GitHub answers 422 here\n/* GitLab, too */\n").empty());
  EXPECT_EQ(Breaches("pipeline/a.cc", "/* one\ntwo */ f(\"gitlab\"); // three\n").front(),
            "pipeline/a.cc:2: names a forge outside its folder: f(\"gitlab\");");
}

TEST(SourceRules, KeepSqlBelowTheStore) {
  for (const auto* code : {"f(\"SELECT 1\");", "f(\"INSERT OR IGNORE INTO t\");",
                           "f(\"UPDATE tasks SET x\");", "f(R\"(\nDELETE FROM t)\");"}) {
    EXPECT_EQ(Breaches("pipeline/worker.cc", code).size(), 1U) << code;
    EXPECT_TRUE(Breaches("pipeline/store/sqlite/a.cc", code).empty()) << code;
  }
  EXPECT_EQ(Breaches("pipeline/a.cc", "#include <sqlite3.h>").size(), 1U);
  EXPECT_TRUE(Breaches("pipeline/a.cc", "f(\"Update the branch\"); kUpdate; // SELECT").empty());
}

TEST(SourceRules, KnowTheOtherHabits) {
  EXPECT_EQ(Breaches("bot/a.cc", "auto t = std::chrono::system_clock::now();").size(), 1U);
  EXPECT_EQ(Breaches("bot/a.cc", "#include <regex>").size(), 1U);
  EXPECT_EQ(Breaches("bot/a.cc", "  system(\"ls\");").size(), 1U);
  EXPECT_TRUE(Breaches("bot/a.cc", "file_system(x); runner.fork();").empty());
  EXPECT_EQ(Breaches("forge/a.h", "#include <nlohmann/json.hpp>").size(), 1U);
  EXPECT_TRUE(Breaches("forge/a.cc", "#include <nlohmann/json.hpp>").empty());
}

TEST(SourceRules, ReadStringsAndCommentsApart) {
  EXPECT_EQ(WithoutComments("a // b\nc"), "a \nc");
  EXPECT_EQ(WithoutComments("a /* b\n */ c"), "a \n c");
  EXPECT_EQ(WithoutComments("\"// no\" // yes"), "\"// no\" ");
  EXPECT_EQ(WithoutComments("\"\\\"// no\" // yes"), "\"\\\"// no\" ");
  EXPECT_EQ(WithoutComments("'\"' // yes"), "'\"' ");
  EXPECT_EQ(WithoutComments("1'000 // yes 1'000"), "1'000 ");
  EXPECT_EQ(WithoutComments("R\"x(// no )\" )x\" // yes"), "R\"x(// no )\" )x\" ");
  EXPECT_EQ(WithoutComments("\"unclosed"), "\"unclosed");
  EXPECT_EQ(WithoutComments("/* unclosed"), "");
}

TEST(SourceRules, FindTypesOfNamedNamespaces) {
  EXPECT_EQ(
      DefinedTypes(
          "namespace a {\nstruct X {\n};\nclass Y final : public Z {\n};\nstruct Q;\n"
          "namespace {\nstruct Hidden {\n};\n}  // namespace\n"
          "namespace b::c {\nenum class E { kA };\n}  // namespace b::c\n}  // namespace a\n"),
      (std::vector<std::string>{"a::X", "a::Y", "a::b::c::E"}));
}

}  // namespace
}  // namespace swage::test
