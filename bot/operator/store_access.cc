#include "bot/operator/store_access.h"

#include <ostream>

#include "bot/cli.h"

namespace swage {

std::unique_ptr<Opened> OpenStoreOf(const std::filesystem::path& config, const StoreOpener& opener,
                                    std::ostream& err) {
  auto opened = std::make_unique<Opened>();
  auto settings = LoadSettings(config, opened->redactor);
  if (!settings.ok()) {
    err << opened->redactor.Apply(settings.error().message) << "\n";
    opened->exit_code = kExitUsage;
    return opened;
  }
  opened->settings = std::move(settings).value();
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
