// GitLab's words for things that the model names differently. Pure.
#pragma once

#include <string>
#include <string_view>

namespace swage::gitlab {

/// Access tokens and service accounts act through users whose names GitLab makes:
/// "project_12_bot_0a1b", "group_3_bot", "service_account_0a1b"; payloads have no other sign of it.
bool IsBotLogin(std::string_view login);

}  // namespace swage::gitlab
