#include "tests/conformance/provisioned_test.h"

#include <sys/stat.h>
#include <sys/xattr.h>

namespace swage {
namespace fs = std::filesystem;

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
  if (way_ == ProvisionWay::kOverlay) GTEST_SKIP() << "not yet";
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
  fs::create_hard_link(root / ".gitignore", root.parent_path() / "tmp" / "second-name");
  fs::permissions(root / ".gitignore", fs::perms(0666));
  setxattr(root.c_str(), "user.left", "x", 1, 0);
}

}  // namespace swage
