#include "pipeline/workspace/provision_choice.h"

#include <fmt/format.h>
#include <unistd.h>

#include "pipeline/workspace/overlay_mount.h"

namespace swage {
namespace {

constexpr std::string_view kAuto = "auto";
constexpr std::string_view kFix =
    "workspaces.provision: overlay cannot be had here: {}; write auto to do without";

constexpr std::string_view kShares = "base checkouts are shared by tasks";
constexpr std::string_view kSharesWithoutRenames =
    "base checkouts are shared by tasks; their directories cannot be renamed here but only copied, "
    "which mv does and git mv refuses";

Result<OverlayAbility> TryOverlay(const Settings& settings) {
  if (settings.keep_workspaces) {
    return MakeError(
        ErrorCode::kInvalid,
        "workspaces.keep wants files that outlive the process, and an overlay's do not");
  }
  if (geteuid() != 0 && !settings.isolation.container_image.empty()) {
    return MakeError(ErrorCode::kUnavailable,
                     "containers of a user need ids that the overlay's user namespace has not");
  }
  SWAGE_RETURN_IF_ERROR(EnterMountNamespace());
  return ProbeOverlay(settings.data_dir);
}

}  // namespace

std::string_view Name(ProvisionWay way) {
  switch (way) {
    case ProvisionWay::kOverlay:
      return "overlay";
    case ProvisionWay::kRecycled:
      return "recycled";
    case ProvisionWay::kPlain:
      return "plain";
  }
  return "plain";
}

Result<ProvisionChoice> ChooseProvision(const Settings& settings) {
  const std::string& wanted = settings.provision;
  for (const ProvisionWay way : {ProvisionWay::kPlain, ProvisionWay::kRecycled}) {
    if (wanted == Name(way)) return ProvisionChoice{way, "as workspaces.provision says"};
  }
  const Result<OverlayAbility> overlay = TryOverlay(settings);
  if (overlay.ok()) {
    const auto why = overlay->renames_directories ? kShares : kSharesWithoutRenames;
    return ProvisionChoice{ProvisionWay::kOverlay, std::string(why)};
  }
  const Error& error = overlay.error();
  if (wanted != kAuto) return MakeError(error.code, fmt::format(kFix, error.message));
  const bool kept = settings.keep_workspaces;
  return ProvisionChoice{kept ? ProvisionWay::kPlain : ProvisionWay::kRecycled,
                         "no overlay: " + error.message};
}

}  // namespace swage
