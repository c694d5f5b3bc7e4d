// `swage doctor forges`: signs in at every forge of the settings and says which rights are wanting.
#pragma once

#include <filesystem>
#include <functional>
#include <iosfwd>
#include <memory>

#include "config/base/clock.h"
#include "config/base/redact.h"
#include "config/settings.h"
#include "forge/forge.h"

namespace swage {

using ForgeMaker =
    std::function<Result<std::unique_ptr<Forge>>(const ForgeSettings&, const Clock&, Redactor&)>;

/// 0 when nothing is wanting, 1 when something is (with the cure), 2 when the settings cannot be
/// read. Blocks on the forges; changes nothing there.
int DoctorForges(const std::filesystem::path& config, const ForgeMaker& make_forge,
                 std::ostream& out, std::ostream& err);

}  // namespace swage
