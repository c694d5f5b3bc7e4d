#include "pipeline/isolation/egress.h"

#include <fmt/format.h>

#include "config/base/text.h"
#include "pipeline/agent_presets.h"
#include "pipeline/isolation/egress_offer.h"

namespace swage {
namespace {

// Entries were checked when the files were read: what does not parse here allows nothing.
EgressList Read(const std::vector<std::string>& entries) {
  const auto list = EgressList::Parse(entries);
  return list.ok() ? *list : EgressList();
}

}  // namespace

void EgressRecord::Add(const std::string& host, int port, std::string reason) {
  const std::lock_guard lock(mutex_);
  const auto key = std::pair(host, port);
  if (const auto known = hosts_.find(key); known != hosts_.end()) {
    ++known->second.times;
  } else if (hosts_.size() < kMaxHosts) {
    hosts_.emplace(key, EgressRefusal{host, port, std::move(reason), 1});
  }
}

std::vector<EgressRefusal> EgressRecord::Refused() const {
  const std::lock_guard lock(mutex_);
  std::vector<EgressRefusal> refused;
  for (const auto& [key, host] : hosts_) refused.push_back(host);
  return refused;
}

EgressList AllowedEgress(const Settings& settings, const RepoPolicy& policy,
                         std::vector<std::string>& beyond) {
  std::vector<std::string> entries = settings.egress.allow;
  const AgentPreset* preset = FindPreset(settings.agent.preset);
  if (settings.egress.preset_hosts && preset != nullptr) {
    entries.insert(entries.end(), preset->hosts.begin(), preset->hosts.end());
  }
  const EgressList ceiling = Read(settings.egress.may_allow);
  const EgressList own = Read(entries);
  for (const std::string& entry : policy.egress_allow) {
    if (ceiling.Covers(entry)) {
      entries.push_back(entry);
    } else if (!own.Covers(entry)) {
      beyond.push_back(entry);
    }
  }
  return Read(entries);
}

// Both cases, because curl reads only the lower one of http_proxy and others only the upper ones.
// Node's own fetch looks at them only when told to. ALL_PROXY is for what knows none of the others.
std::map<std::string, std::string> EgressEnvironment() {
  const std::string proxy = fmt::format("http://127.0.0.1:{}", kEgressDoorPort);
  const std::string direct = "localhost,127.0.0.1,::1";
  std::map<std::string, std::string> env = {{"NODE_USE_ENV_PROXY", "1"}};
  for (const std::string_view name : {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"}) {
    env[std::string(name)] = proxy;
    env[ToLower(name)] = proxy;
  }
  env["NO_PROXY"] = direct;
  env["no_proxy"] = direct;
  return env;
}

}  // namespace swage
