#include "bot/forge_doctor.h"

#include <fmt/format.h>

#include <csignal>
#include <ostream>

#include "bot/cli.h"
#include "config/repo_allow.h"

namespace swage {
namespace {

bool IsPlainName(std::string_view entry) {
  return entry.find_first_of("*?!") == std::string_view::npos;
}

// What is wrong with one forge, a sentence each.
Result<std::vector<std::string>> Examine(const ForgeSettings& settings, const Clock& clock,
                                         const ForgeMaker& make_forge, Redactor& redactor,
                                         std::string& self) {
  SWAGE_ASSIGN_OR_RETURN(const auto forge, make_forge(settings, clock, redactor));
  SWAGE_ASSIGN_OR_RETURN(std::vector<std::string> gaps, forge->FindMissingRights());
  SWAGE_ASSIGN_OR_RETURN(const Actor account, forge->GetSelf());
  self = account.login;
  for (const std::string& entry : settings.repos) {
    if (!IsPlainName(entry)) continue;
    const auto repo = forge->GetRepo(entry);
    if (!repo.ok()) gaps.push_back(fmt::format("{}: {}", entry, repo.error().message));
  }
  return gaps;
}

}  // namespace

int DoctorForges(const std::filesystem::path& config, const ForgeMaker& make_forge,
                 std::ostream& out, std::ostream& err) {
  Redactor redactor;
  const auto settings = LoadSettings(config, redactor);
  if (!settings.ok()) {
    err << redactor.Apply(settings.error().message) << "\n";
    return kExitUsage;
  }
  std::signal(SIGPIPE, SIG_IGN);  // a server that hangs up is a finding
  const SystemClock clock;
  bool well = true;
  for (const ForgeSettings& forge : settings->forges) {
    std::string self;
    const auto gaps = Examine(forge, clock, make_forge, redactor, self);
    if (!gaps.ok()) {
      err << redactor.Apply(fmt::format("{}: {}\n", forge.name, gaps.error().message));
      well = false;
      continue;
    }
    out << redactor.Apply(fmt::format("{}: signed in as {}{}\n", forge.name, self,
                                      gaps->empty() ? ", nothing is wanting" : ""));
    for (const std::string& gap : *gaps) out << redactor.Apply(fmt::format("  - {}\n", gap));
    well = well && gaps->empty();
  }
  return well ? kExitOk : kExitFailed;
}

}  // namespace swage
