// What may become part of a git command line, and what git's failures mean.
#include <gtest/gtest.h>

#include "pipeline/workspace/checks.h"
#include "pipeline/workspace/git.h"
#include "pipeline/workspace/sweep.h"
#include "pipeline/workspace/tree_scan.h"

namespace swage {
namespace {

TEST(WorkspaceChecks, Threat_T35_BranchNamesComeFromAnAllowList) {
  for (const char* good : {"main", "swage/issue-12", "release/1.2.x", "feature/a_b+c@d#1", "a=b"}) {
    EXPECT_TRUE(CheckBranchName(good).ok()) << good;
  }
  for (const std::string& bad : {std::string("--upload-pack=x"),
                                 std::string("-x"),
                                 std::string("a/-x"),
                                 std::string("a\xE3\x80\x80") + "b",
                                 std::string("a;b"),
                                 std::string("a b"),
                                 std::string("a\nb"),
                                 std::string("a\0b", 3),
                                 std::string(""),
                                 std::string("/a"),
                                 std::string("a/"),
                                 std::string("a//b"),
                                 std::string("a..b"),
                                 std::string(".a"),
                                 std::string("a/.b"),
                                 std::string("a."),
                                 std::string("a.lock"),
                                 std::string("a.lock/b"),
                                 std::string("HEAD"),
                                 std::string("@"),
                                 std::string("a@{1}"),
                                 std::string("a~1"),
                                 std::string("a^"),
                                 std::string("a:b"),
                                 std::string("a*"),
                                 std::string("a?"),
                                 std::string("a[b"),
                                 std::string("a\\b"),
                                 std::string("$(x)"),
                                 std::string("`x`"),
                                 std::string(201, 'a')}) {
    ASSERT_FALSE(CheckBranchName(bad).ok()) << bad;
    EXPECT_EQ(CheckBranchName(bad).error().code, ErrorCode::kInvalid);
  }
}

TEST(WorkspaceChecks, Threat_T36_OnlyHttpsAndLoopbackHttpAreRemotes) {
  EXPECT_EQ(ProtocolFor("https://example.com/o/r.git", false).value(), "https");
  EXPECT_EQ(ProtocolFor("http://127.0.0.1:8080/o/r.git", false).value(), "http");
  EXPECT_EQ(ProtocolFor("http://localhost/o/r.git", false).value(), "http");
  EXPECT_EQ(ProtocolFor("http://[::1]:80/o/r.git", false).value(), "http");
  EXPECT_EQ(ProtocolFor("/srv/r.git", true).value(), "file");
  for (const char* bad : {"ext::sh -c touch% /tmp/x",
                          "ext::sh",
                          "ssh://h/r",
                          "git@h:r",
                          "git://h/r",
                          "file:///srv/r.git",
                          "/srv/r.git",
                          "http://example.com/r.git",
                          "http://127.0.0.1.evil.com/r",
                          "http://127.0.0.1@evil.com/r",
                          "http://localhost.evil.com/",
                          "https://",
                          "https:///r",
                          "https://user:secret@example.com/r.git",
                          "https://example.com/a b",
                          "--upload-pack=x",
                          "",
                          "http://127.0.0.999/",
                          "http://2130706433/",
                          "https://ex\xC3\xA4mple.com/"}) {
    ASSERT_FALSE(ProtocolFor(bad, false).ok()) << bad;
    EXPECT_EQ(ProtocolFor(bad, false).error().code, ErrorCode::kInvalid);
    EXPECT_EQ(ProtocolFor(bad, false).error().message.find("secret"), std::string::npos);
  }
  EXPECT_FALSE(ProtocolFor("ext::sh", true).ok());
  EXPECT_EQ(OriginOf("https://example.com:8443/o/r.git"), "https://example.com:8443");
}

TEST(WorkspaceChecks, Threat_T34_OldGitIsRefusedWithTheFix) {
  for (const char* good :
       {"git version 2.39.4", "git version 2.39.5\n", "git version 2.40.2", "git version 2.45.1",
        "git version 2.45.2 (Apple Git-154)", "git version 2.51.0", "git version 3.0.0-rc1"}) {
    EXPECT_TRUE(CheckGitVersion(good).ok()) << good;
  }
  for (const char* bad :
       {"git version 2.39.3", "git version 2.30.2", "git version 2.40.1", "git version 2.43.3",
        "git version 2.45.0", "git version 1.9.9", "git version x", "hello", ""}) {
    EXPECT_FALSE(CheckGitVersion(bad).ok()) << bad;
  }
  const std::string message = CheckGitVersion("git version 2.30.2").error().message;
  EXPECT_NE(message.find("2.30.2"), std::string::npos);
  EXPECT_NE(message.find("2.39.4"), std::string::npos);
}

TEST(WorkspaceChecks, MirrorsAreNamedByForgeAndId) {
  EXPECT_EQ(MirrorName({"github", "42", "o/r"}).value(), "github-42.git");
  for (const RepoRef& bad : {RepoRef{"", "1", ""}, RepoRef{"g", "", ""}, RepoRef{"..", "1", ""},
                             RepoRef{"g", "../../x", ""}, RepoRef{"g", "1/2", ""}}) {
    EXPECT_FALSE(MirrorName(bad).ok()) << bad.forge << ' ' << bad.id;
  }
}

TEST(WorkspaceChecks, CommitsAreFullLowerCaseNames) {
  EXPECT_TRUE(CheckCommitSha({std::string(40, 'a')}).ok());
  for (const std::string& bad : {std::string(), std::string(39, 'a'), std::string(40, 'A'),
                                 std::string("--") + std::string(38, 'a'), std::string(41, 'a')}) {
    EXPECT_FALSE(CheckCommitSha({bad}).ok()) << bad;
  }
}

TEST(GitFailure, IsClassifiedByItsCause) {
  const auto code = ClassifyGitFailure;
  EXPECT_EQ(
      code("remote: HTTP Basic: Access denied\nfatal: Authentication failed for 'https://h/r/'"),
      ErrorCode::kUnauthenticated);
  EXPECT_EQ(code("fatal: could not read Username for 'https://h': terminal prompts disabled"),
            ErrorCode::kUnauthenticated);
  EXPECT_EQ(code("fatal: unable to access 'https://h/r/': The requested URL returned error: 403"),
            ErrorCode::kDenied);
  EXPECT_EQ(code("remote: Repository not found.\nfatal: repository 'https://h/r/' not found"),
            ErrorCode::kNotFound);
  EXPECT_EQ(code("fatal: unable to access 'https://h/': Could not resolve host: h"),
            ErrorCode::kUnavailable);
  EXPECT_EQ(
      code(
          "fatal: unable to access 'http://h/': Failed to connect to h port 1: Connection refused"),
      ErrorCode::kUnavailable);
  EXPECT_EQ(code("error: RPC failed; HTTP 502 curl 22 The requested URL returned error: 502"),
            ErrorCode::kUnavailable);
  EXPECT_EQ(code(" ! [rejected]        a -> b (stale info)\nerror: failed to push some refs"),
            ErrorCode::kConflict);
  EXPECT_EQ(code(" ! [rejected]        a -> b (non-fast-forward)"), ErrorCode::kConflict);
  EXPECT_EQ(code(" ! [remote rejected] a -> b (pre-receive hook declined)"), ErrorCode::kDenied);
  EXPECT_EQ(code("remote: GitLab: You are not allowed to push code to protected branches"),
            ErrorCode::kDenied);
  EXPECT_EQ(code("fatal: transport 'ext' not allowed"), ErrorCode::kInvalid);
  EXPECT_EQ(code("fatal: bad object deadbeef"), ErrorCode::kInternal);
  EXPECT_EQ(code(""), ErrorCode::kInternal);
}

TEST(GitFailure, IsSummarisedWithoutNoiseAndUserInfo) {
  EXPECT_EQ(SummariseGitFailure("hint: use the force\n"
                                "fatal: unable to access 'https://bot:hunter2@h/r': nope\n"),
            "fatal: unable to access 'https://h/r': nope");
  EXPECT_EQ(SummariseGitFailure("To http://h/r\n ! [rejected] a -> b (stale info)\n"
                                "error: failed to push some refs to 'http://h/r'\n"),
            "! [rejected] a -> b (stale info)");
  EXPECT_EQ(SummariseGitFailure("remote: error: GH013: Repository rule violations found\n"
                                "remote: - Commits must have verified signatures.\n"
                                " ! [remote rejected] a -> b (push declined)\n"),
            "remote: error: GH013: Repository rule violations found; remote: - Commits must have "
            "verified signatures.; ! [remote rejected] a -> b (push declined)");
  EXPECT_EQ(SummariseGitFailure("\x1b[31mfatal: red\x1b[0m\r\n"), "fatal: red");
  EXPECT_EQ(SummariseGitFailure(""), "");
  EXPECT_LE(SummariseGitFailure("fatal: " + std::string(100'000, 'x')).size(), 500u);
}

TEST(TreeScanNames, KnowWhatSomeFileSystemTakesForDotGit) {
  for (const char* bad : {".git", ".GIT", ".Git", ".git.", ".git ", ".git. .", "git~1", "GIT~1",
                          ".git::$INDEX_ALLOCATION", ".git:x"}) {
    EXPECT_TRUE(LooksLikeDotGit(bad)) << bad;
  }
  for (const char* good :
       {".gitignore", ".gitattributes", "git", "a.git", ".github", "git~10", ".gi", ""}) {
    EXPECT_FALSE(LooksLikeDotGit(good)) << good;
  }
}

TEST(WorkspaceNames, AreReadBackOnlyWhenTheBotMadeThem) {
  EXPECT_EQ(TaskOfWorkspace(WorkspaceName(TaskId{12}, "0a1b2c3d")), TaskId{12});
  for (const char* other : {"12", "12-", "12-0a1b2c3", "12-0a1b2c3dd", "x-0a1b2c3d", "-0a1b2c3d",
                            "12-0A1B2C3D", "12-../../..", "lost+found", ""}) {
    EXPECT_FALSE(TaskOfWorkspace(other).has_value()) << other;
  }
}

}  // namespace
}  // namespace swage
