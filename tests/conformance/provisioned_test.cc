#include "tests/conformance/provisioned_test.h"

#include <sys/stat.h>
#include <sys/xattr.h>

#include "pipeline/workspace/overlay_mount.h"

namespace swage {
namespace fs = std::filesystem;

namespace {

// Before the first thread: every test of the program runs in the namespace.
Result<void>& Mounting() {
  static Result<void> mounting;
  return mounting;
}

class MountNamespace final : public ::testing::Environment {
 public:
  void SetUp() override { Mounting() = EnterMountNamespace(); }
};

const auto* const kMountNamespace = ::testing::AddGlobalTestEnvironment(new MountNamespace);

}  // namespace

std::string NameOfWay(const ::testing::TestParamInfo<ProvisionWay>& info) {
  switch (info.param) {
    case ProvisionWay::kOverlay:
      return "Overlay";
    case ProvisionWay::kRecycled:
      return "Recycled";
    case ProvisionWay::kPlain:
      return "Plain";
  }
  return "";
}

ProvisionedTest::ProvisionedTest() {
  way_ = GetParam();
  workspaces_ = NewWorkspaces();
}

void ProvisionedTest::SetUp() {
  if (way_ != ProvisionWay::kOverlay) return;
  if (!Mounting().ok()) GTEST_SKIP() << Mounting().error().message;
  const Result<OverlayAbility> probed = ProbeOverlay(Data() / "bases");
  if (!probed.ok()) GTEST_SKIP() << probed.error().message;
}

void ProvisionedTest::BeforeProvision() {
  if (soiled_) return;
  soiled_ = true;
  ProvisionRequest request = Request(900);
  auto former = workspaces_->Provision(request, {});
  ASSERT_TRUE(former.ok()) << former.error().message;
  Soil((*former)->Root());
  ASSERT_TRUE((*former)->Release().ok());
  Git(MirrorDir(), {"update-ref", "-d", "refs/heads/" + request.branch});
}

void ProvisionedTest::Soil(const Path& root) {
  Write(root / "README.md", "soiled\n");
  fs::permissions(root / "run.sh", fs::perms::none);
  fs::remove_all(root / "src");
  fs::create_symlink("/etc", root / "src");
  fs::remove(root / "link");
  Write(root / "link/deep/file", "soiled");
  Write(root / "left.o", "ignored, and somebody else's");
  Write(root / "build/secret", "ignored, and somebody else's");
  Write(root / "nested/.git/HEAD", "ref: refs/heads/main\n");
  Write(root / "shut/file", "x");
  fs::permissions(root / "shut", fs::perms::none);
  mkfifo((root / "pipe").c_str(), 0600);
  std::error_code elsewhere;  // of what is mounted there can be none
  fs::create_hard_link(root / ".gitignore", root.parent_path() / "tmp" / "name", elsewhere);
  fs::permissions(root / ".gitignore", fs::perms(0666));
  setxattr(root.c_str(), "user.left", "x", 1, 0);
}

}  // namespace swage
