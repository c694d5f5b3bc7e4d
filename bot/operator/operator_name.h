// Who sits at the command line, as logs and the audit name them.
#pragma once

#include <string>

namespace swage {

/// "root (command line)".
std::string OperatorName();

}  // namespace swage
