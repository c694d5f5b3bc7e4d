#include "bot/operator/store_access.h"

#include <ostream>

#include "bot/cli.h"

namespace swage {

bool LoadSettingsOf(const std::filesystem::path& config, Opened& opened, std::ostream& err) {
  auto settings = LoadSettings(config, opened.redactor);
  if (!settings.ok()) {
    err << opened.redactor.Apply(settings.error().message) << "\n";
    opened.exit_code = kExitUsage;
    return false;
  }
  opened.settings = std::move(settings).value();
  return true;
}

std::unique_ptr<Opened> OpenStoreOf(const std::filesystem::path& config, const StoreOpener& opener,
                                    std::ostream& err) {
  auto opened = std::make_unique<Opened>();
  if (!LoadSettingsOf(config, *opened, err)) return opened;
  auto store = opener(opened->settings, opened->clock);
  if (!store.ok()) {
    err << "swage: " << opened->redactor.Apply(store.error().message) << "\n";
    opened->exit_code = kExitFailed;
    return opened;
  }
  opened->store = std::move(store).value();
  return opened;
}

}  // namespace swage
