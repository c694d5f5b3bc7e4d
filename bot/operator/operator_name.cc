#include "bot/operator/operator_name.h"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

namespace swage {

std::string OperatorName() {
  const passwd* user = getpwuid(geteuid());
  return fmt::format("{} (command line)",
                     user == nullptr ? std::to_string(geteuid()) : user->pw_name);
}

}  // namespace swage
