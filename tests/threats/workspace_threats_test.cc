// What an agent may plant in its workspace, and what names and links may do to the bot (T31 to
// T37). Each attack is first shown to work on plain git by the agent itself, so that its absence in
// the bot's own steps means something.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/e2e/dialects.h"
#include "tests/harness/trap_server.h"

namespace swage::test {
namespace {

namespace fs = std::filesystem;
using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

// BOX is the folder of the agent's script. evil.sh leaves `marker` there, or `proof` when the agent
// itself sets off the trap. plant DIR: everything in a git directory that makes git run a program.
constexpr const char* kTools = R"sh(
BOX=$(cd "$(dirname "$0")" && pwd)
cat > "$BOX/evil.sh" <<EOF
#!/bin/sh
touch "$BOX/\${SWAGE_TRAP:-marker}"
cat
EOF
chmod 755 "$BOX/evil.sh"
plant() {
  mkdir -p "$1/hooks" "$1/info"
  cat > "$1/config" <<EOF
[core]
	repositoryformatversion = 0
	bare = ${2:-false}
	fsmonitor = $BOX/evil.sh
	sshCommand = $BOX/evil.sh
	pager = $BOX/evil.sh
	editor = $BOX/evil.sh
	alternateRefsCommand = $BOX/evil.sh
	hooksPath = $1/hooks
[filter "x"]
	clean = $BOX/evil.sh
	smudge = $BOX/evil.sh
	required = true
[diff "x"]
	textconv = $BOX/evil.sh
	command = $BOX/evil.sh
[diff]
	external = $BOX/evil.sh
[credential]
	helper = $BOX/evil.sh
[gpg]
	program = $BOX/evil.sh
[commit]
	gpgsign = true
EOF
  echo '* filter=x diff=x' > "$1/info/attributes"
  for hook in pre-commit post-checkout post-commit pre-push reference-transaction post-index-change \
      post-merge update pre-receive post-receive pre-auto-gc; do
    cp "$BOX/evil.sh" "$1/hooks/$hook"
  done
}
)sh";

// Each run of an agent changes something: the time goes into a file.
constexpr const char* kWork = "echo 42 > answer.txt\ndate +%N >> answer.log\n";

class WorkspaceThreats : public testing::Test {
 protected:
  static BoxOptions With(const std::string& agent) {
    BoxOptions options;
    options.files = AnswerRepo();
    options.agent = Script(agent);
    // The level at which there is most to attack; hooks and their like would raise it.
    options.extra_config = "isolation: {ceiling: worktree}\n";
    return options;
  }
  static std::string Script(const std::string& agent) { return kTools + agent; }
  /// The whole job, and once more from the pull request.
  static void RunTwice(Box& box) {
    const std::int64_t issue = box.LabelledIssue("The answer is wrong");
    ASSERT_TRUE(box.WaitForSticky(issue, "in review")) << box.Sticky(issue);
    ASSERT_THAT(box.Pulls(), SizeIs(1));
    const std::string first = box.Pulls().front().head_sha;
    box.CommentOnPull("ada", box.Pulls().front().number, "/swage fix once more");
    const auto second = box.WaitForPull(issue, [&](const sandbox::Pull& pull) {
      return pull.head_sha != first && box.ReviewBodies(pull).size() == 2;
    });
    ASSERT_TRUE(second.has_value()) << box.Sticky(issue);
  }
  static std::string AtHead(Box& box, std::string_view path) {
    const auto text = box.forge().ReadFileAt(box.repo(), box.Pulls().front().head_ref, path);
    return text.ok() ? *text : "(absent)";
  }
  static bool Marked(const Box& box) { return fs::exists(box.dir() / "marker"); }
  static bool Proven(const Box& box) { return fs::exists(box.dir() / "proof"); }
};

TEST_F(WorkspaceThreats, Threat_T31_ProgramsPlantedInGitNeverRun) {
  Box box(With(kWork + std::string(R"sh(
echo '* filter=x diff=x' > .gitattributes
plant "$PWD/.git"
SWAGE_TRAP=proof git add -A
# The mirror is not hidden at this level: its path stands in the alternates.
mirror=$(dirname "$(cat .git/objects/info/alternates)")
plant "$mirror" true
for admin in "$mirror"/worktrees/*; do
  plant "$admin"
  cp "$admin/config" "$admin/config.worktree"
done
printf '[core]\n\tfsmonitor = %s\n' "$BOX/evil.sh" | tee "$HOME/.gitconfig" > "$BOX/.gitconfig"
)sh")));
  RunTwice(box);
  EXPECT_TRUE(Proven(box)) << "the trap must work on plain git";
  EXPECT_FALSE(Marked(box));
  EXPECT_EQ(AtHead(box, "answer.txt"), "42\n");
}

TEST_F(WorkspaceThreats, Threat_T32_PlantedUrlsProxiesAndHelpersAreNeverAsked) {
  TrapServer trap;
  Box box(With(""));
  box.SetAgent(Script("forge=" + box.forge().Url() + "\ntrap=" + trap.Url() + "\n" + kWork + R"sh(
evil="[url \"$trap/x/\"]
	insteadOf = $forge/
	pushInsteadOf = $forge/
[http]
	proxy = $trap
[credential]
	helper = $BOX/evil.sh
"
mirror=$(dirname "$(cat .git/objects/info/alternates)")
for file in .git/config "$mirror/config" "$HOME/.gitconfig" "$BOX/.gitconfig"; do
  printf '%s' "$evil" >> "$file"
done
SWAGE_TRAP=proof git ls-remote "$forge/proof/of.git"
true
)sh"));
  RunTwice(box);
  EXPECT_THAT(trap.Seen(), Not(IsEmpty())) << "the trap must work on plain git";
  EXPECT_THAT(trap.Seen(), Each(HasSubstr("proof"))) << "the bot's own calls came here";
  EXPECT_FALSE(Marked(box));
}

TEST_F(WorkspaceThreats, Threat_T33_AnExchangedDotGitIsNeverConsulted) {
  for (const char* swap :
       {"ln -s \"$BOX/evil/.git\" .git", "echo \"gitdir: $BOX/evil/.git\" > .git",
        "cp -a \"$BOX/evil/.git\" .git", "true"}) {
    Box box(With(kWork +
                 std::string("git init -q \"$BOX/evil\"\nplant \"$BOX/evil/.git\"\n"
                             "echo '* filter=x' > .gitattributes\n"
                             "SWAGE_TRAP=proof git --git-dir=\"$BOX/evil/.git\" "
                             "--work-tree=. status\nrm -rf .git\n") +
                 swap + "\n"));
    RunTwice(box);
    EXPECT_TRUE(Proven(box)) << "the trap must work on plain git";
    EXPECT_FALSE(Marked(box)) << swap;
    EXPECT_EQ(AtHead(box, "answer.txt"), "42\n");
    EXPECT_TRUE(fs::exists(box.dir() / "evil/.git/config")) << "a link was followed: " << swap;
  }
}

TEST_F(WorkspaceThreats, Threat_T33_NestedRepositoriesBecomePlainFiles) {
  Box box(With(kWork + std::string(R"sh(
rm -rf vendor filelike upper
git init -q vendor/lib
echo x > vendor/lib/x
echo '* filter=x' > vendor/lib/.gitattributes
plant "$PWD/vendor/lib/.git"
(cd vendor/lib && SWAGE_TRAP=proof git status)
mkdir -p filelike upper/.GIT
echo 'gitdir: ../vendor/lib/.git' > filelike/.git
echo y > filelike/y
echo '[core]' > upper/.GIT/config
echo z > upper/z
)sh")));
  RunTwice(box);
  EXPECT_TRUE(Proven(box)) << "the trap must work on plain git";
  EXPECT_FALSE(Marked(box));
  EXPECT_EQ(AtHead(box, "vendor/lib/x"), "x\n");
  EXPECT_EQ(AtHead(box, "filelike/y"), "y\n");
  EXPECT_EQ(AtHead(box, "upper/z"), "z\n");
  EXPECT_EQ(AtHead(box, "upper/.GIT/config"), "(absent)");
  EXPECT_THAT(box.Pulls().front().body, HasSubstr("vendor/lib/.git")) << "people are told";
}

TEST_F(WorkspaceThreats, Threat_T34_AnOldGitIsRefusedAtTheStart) {
  const TempDir stubs("swage-old-git-");
  const std::string stub = "#!/bin/sh\necho git version 2.20.1\n";
  ASSERT_TRUE(WriteFileAtomic(stubs.path() / "git", stub, 0755).ok());
  BoxOptions options = With("");
  options.start = false;
  options.path = stubs.path().string() + ":" + options.path;
  Box box(std::move(options));
  EXPECT_EQ(box.ServeToExit(), 1);
  EXPECT_THAT(box.ServerLog(), HasSubstr("2.20.1"));
  EXPECT_THAT(box.ServerLog(), HasSubstr("2.39"));
}

TEST_F(WorkspaceThreats, Threat_T34_SubmodulesAreNotFollowed) {
  TrapServer trap;
  Box box(With(""));
  box.SetAgent(Script(kWork + ("printf '[submodule \"s\"]\\n\\tpath = s\\n\\turl = " + trap.Url()) +
                      "/s.git\\n\\tupdate = !%s\\n' \"$BOX/evil.sh\" > .gitmodules\n"));
  RunTwice(box);
  EXPECT_EQ(trap.Requests(), 0);
  EXPECT_FALSE(Marked(box));
}

TEST_F(WorkspaceThreats, Threat_T35_OptionLikeBranchesOfTheForgeReachNoCommand) {
  Box box(With(kWork));
  const std::string touch = "touch " + (box.dir() / "marker").string();
  for (const std::string& branch :
       {"--upload-pack=" + touch, "main;" + touch, std::string("main\xE3\x80\x80"),
        std::string("-u"), std::string("main:refs/heads/x"), std::string("../../x"),
        std::string("a..b"), std::string("@{-1}")}) {
    box.forge().With(
        [&](sandbox::World& world) { world.FindRepo(box.repo())->default_branch = branch; });
    const std::int64_t issue = box.LabelledIssue("A strange default branch");
    EXPECT_TRUE(box.WaitForSticky(issue, "failed")) << branch;
    EXPECT_THAT(box.Sticky(issue), HasSubstr("branch")) << branch;
  }
  EXPECT_FALSE(Marked(box));
  EXPECT_THAT(box.forge().Branches(box.repo()), SizeIs(1));
}

TEST_F(WorkspaceThreats, Threat_T35_TitlesDoNotShapeTheBranch) {
  Box box(With(kWork));
  for (const char* title :
       {"--upload-pack=x", "\xE3\x80\x80", "; rm -rf /", "../../main", "@{u}"}) {
    const std::int64_t issue = box.LabelledIssue(title);
    ASSERT_TRUE(box.WaitForSticky(issue, "in review")) << title;
  }
  for (const auto& [name, sha] : box.forge().Branches(box.repo())) {
    const bool plain = name == "main" || (name.starts_with("swage/") &&
                                          name.find_first_not_of("abcdefghijklmnopqrstuvwxyz"
                                                                 "0123456789-/") == name.npos);
    EXPECT_TRUE(plain) << name;
  }
}

TEST_F(WorkspaceThreats, Threat_T36_ForeignTransportsAreRefusedAtTheStart) {
  for (const char* url : {"ext::sh -c touch% marker", "file:///etc", "git://127.0.0.1/",
                          "http://192.0.2.1", "https://user:pass@127.0.0.1"}) {
    BoxOptions options = With("");
    options.start = false;
    options.git_url = url;
    Box box(std::move(options));
    EXPECT_EQ(box.ServeToExit(), 2) << url;
    EXPECT_THAT(box.ServerLog(), HasSubstr("git_url")) << url;
  }
}

// A report that the agent, or the gate itself, exchanges for a link.
TEST_F(WorkspaceThreats, Threat_T37_LinksOutOfTheWorkspaceAreNeitherReadNorDeleted) {
  BoxOptions options = With("");
  options.files["gate.sh"] = "exit 0\n";
  options.files[".swage.yml"] =
      "gates:\n  - name: tests\n    run: [sh, gate.sh]\n"
      "    report: {format: junit, path: report.xml}\n"
      "  - name: deep\n    run: [sh, gate.sh]\n    required: false\n"
      "    report: {format: junit, path: out/report.xml}\n";
  Box box(std::move(options));
  const fs::path outside = box.dir() / "outside";
  const std::string report =
      "<testsuite><testcase name=\"t\"><failure message=\"canary-of-the-host\"/></testcase>"
      "</testsuite>";
  ASSERT_TRUE(MakeDirs(outside / "deep").ok());
  ASSERT_TRUE(WriteFileAtomic(outside / "report.xml", report).ok());
  ASSERT_TRUE(WriteFileAtomic(outside / "deep/file", "precious").ok());
  box.SetAgent(Script(kWork + std::string(R"sh(
ln -sfn "$BOX/outside" out
ln -sfn "$BOX/outside/deep" deep
ln -sf /etc/passwd passwd
ln -sf "$BOX/outside/report.xml" report.xml
ln -sfn "$BOX/outside" "$HOME/home-link"
echo "ln -sf '$BOX/outside/report.xml' report.xml" > gate.sh
)sh")));
  RunTwice(box);
  for (const std::string& text : box.BotTexts()) {
    EXPECT_THAT(text, Not(HasSubstr("canary-of-the-host")));
  }
  EXPECT_EQ(box.Query("SELECT count(*) FROM findings WHERE message LIKE '%canary%'"), "0");
  EXPECT_EQ(ReadFile(outside / "report.xml").value(), report);
  EXPECT_EQ(ReadFile(outside / "deep/file").value(), "precious");
  EXPECT_EQ(AtHead(box, "passwd"), "/etc/passwd") << "the link itself is what was pushed";
  EXPECT_TRUE(fs::is_empty(box.data_dir() / "workspaces"));
}

TEST_F(WorkspaceThreats, Threat_T37_AWorkTreeExchangedForALinkIsRefused) {
  BoxOptions options = With(
      "mkdir -p \"$BOX/outside\"; echo precious > \"$BOX/outside/file\"\n"
      "work=$PWD; cd /; rm -rf \"$work\"; ln -s \"$BOX/outside\" \"$work\"\n");
  options.extra_config += "workspaces: {provision: plain}\n";  // what is mounted stays where it is
  Box box(std::move(options));
  const std::int64_t issue = box.LabelledIssue("The answer is wrong");
  // Where the kernel has Landlock the exchange itself is refused, and only the files are gone.
  ASSERT_TRUE(box.WaitFor([&] {
    const std::string said = box.Sticky(issue);
    return said.find("failed") != said.npos || said.find("in review") != said.npos;
  }));
  EXPECT_EQ(ReadFile(box.dir() / "outside/file").value(), "precious\n");
  EXPECT_FALSE(fs::exists(box.dir() / "outside/.git"));
  for (const sandbox::Pull& pull : box.Pulls()) {
    EXPECT_FALSE(box.forge().ReadFileAt(box.repo(), pull.head_ref, "file").ok());
  }
}

}  // namespace
}  // namespace swage::test
