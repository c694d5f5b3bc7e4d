#include "forge/gitlab/names.h"

namespace swage::gitlab {

bool IsBotLogin(std::string_view login) {
  if (login.ends_with("[bot]")) return true;
  if (login.starts_with("service_account_")) return true;
  for (const std::string_view prefix : {"project_", "group_"}) {
    if (!login.starts_with(prefix)) continue;
    const std::string_view rest = login.substr(prefix.size());
    const std::size_t digits = rest.find_first_not_of("0123456789");
    if (digits == 0 || digits == std::string_view::npos) continue;
    if (rest.substr(digits).starts_with("_bot")) return true;
  }
  return login == "alert-bot" || login == "support-bot" || login == "security-bot";
}

}  // namespace swage::gitlab
