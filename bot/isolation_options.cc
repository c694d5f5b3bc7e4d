#include "bot/isolation_options.h"

#include "config/base/crypto.h"
#include "config/base/limits.h"
#include "config/base/process.h"

namespace swage {
namespace {

constexpr std::size_t kInstanceDigits = 8;

}  // namespace

Result<IsolationOptions> IsolationOptionsOf(const Settings& settings, const CommandGroups* groups) {
  const std::filesystem::path data_dir = std::filesystem::absolute(settings.data_dir);
  IsolationOptions options;
  SWAGE_ASSIGN_OR_RETURN(options.enter, FindHelper("swage-enter"));
  options.state = data_dir / "isolation";
  options.user = settings.isolation.Owner();
  for (const std::string& path : settings.isolation.show) options.shown.emplace_back(path);
  for (const std::string& path : settings.agent.extra_path) options.shown.emplace_back(path);
  for (const std::string& path : settings.isolation.write) options.written.emplace_back(path);
  // The agent's own program, and the script that an interpreter runs.
  for (const std::string& word : settings.agent.command) {
    std::error_code error;
    if (word.starts_with('/') && std::filesystem::is_regular_file(word, error)) {
      options.shown.emplace_back(word);
    }
  }
  options.container = settings.isolation.container_command;
  options.image = settings.isolation.container_image;
  options.limits = LimitKeepers(groups);
  options.instance = Sha256Hex(data_dir.string()).substr(0, kInstanceDigits);
  return options;
}

}  // namespace swage
