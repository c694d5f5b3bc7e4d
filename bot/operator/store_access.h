// StoreAccess: how commands beside the server come to the store. The engines are chosen in main.cc.
//
// An observer only reads: it changes nothing, takes no lock that the server would notice, and does
// not upgrade a schema. An editor writes as a server would, which an engine of one process refuses
// (kConflict, names the process) while a server runs.
#pragma once

#include <filesystem>
#include <functional>
#include <iosfwd>
#include <memory>

#include "config/base/clock.h"
#include "config/base/redact.h"
#include "config/settings.h"
#include "pipeline/store/store.h"

namespace swage {

using StoreOpener =
    std::function<Result<std::unique_ptr<Store>>(const Settings& settings, const Clock& clock)>;

struct StoreAccess {
  StoreOpener observe;
  StoreOpener edit;
};

/// The settings and the store of one command.
struct Opened {
  SystemClock clock;
  Redactor redactor;
  Settings settings;
  std::unique_ptr<Store> store;  ///< nullptr: it did not work, and stderr has said why
  int exit_code = 0;             ///< then: see bot/cli.h
};

/// Only the settings; false: `opened.exit_code`, and stderr has said why.
bool LoadSettingsOf(const std::filesystem::path& config, Opened& opened, std::ostream& err);

std::unique_ptr<Opened> OpenStoreOf(const std::filesystem::path& config, const StoreOpener& opener,
                                    std::ostream& err);

}  // namespace swage
