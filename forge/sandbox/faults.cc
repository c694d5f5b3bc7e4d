#include "forge/sandbox/faults.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <nlohmann/json.hpp>
#include <random>

#include "config/base/json.h"

namespace swage::sandbox {
namespace {

constexpr std::array<std::pair<std::string_view, FaultAction>, 10> kActions = {{
    {"delay", FaultAction::kDelay},
    {"status", FaultAction::kStatus},
    {"rate_limit", FaultAction::kRateLimit},
    {"primary_limit", FaultAction::kPrimaryLimit},
    {"secondary_limit", FaultAction::kSecondaryLimit},
    {"reset_before", FaultAction::kResetBefore},
    {"reset_after", FaultAction::kResetAfter},
    {"webhook_drop", FaultAction::kWebhookDrop},
    {"webhook_duplicate", FaultAction::kWebhookDuplicate},
    {"webhook_reorder", FaultAction::kWebhookReorder},
}};

std::string_view NameOf(FaultAction action) {
  for (const auto& [name, known] : kActions) {
    if (known == action) return name;
  }
  return "";
}

bool IsForWebhooks(FaultAction action) {
  return action == FaultAction::kWebhookDrop || action == FaultAction::kWebhookDuplicate ||
         action == FaultAction::kWebhookReorder;
}

Result<FaultRule> RuleOf(const nlohmann::json& value) {
  const std::string name = JsonString(value, "action");
  const auto it = std::find_if(kActions.begin(), kActions.end(),
                               [&](const auto& known) { return known.first == name; });
  if (it == kActions.end()) {
    return MakeError(ErrorCode::kInvalid, fmt::format("unknown fault action '{}'", name));
  }
  FaultRule rule;
  rule.action = it->second;
  rule.method = JsonString(value, "method");
  rule.path = JsonString(value, "path");
  rule.event = JsonString(value, "event");
  rule.times = static_cast<int>(JsonInt(value, "times", 1));
  rule.delay_ms = static_cast<int>(JsonInt(value, "ms"));
  rule.status = static_cast<int>(JsonInt(value, "status", 500));
  rule.retry_after_s = static_cast<int>(JsonInt(value, "retry_after", 1));
  rule.copies = static_cast<int>(JsonInt(value, "copies", 1));
  if (const auto chance = value.find("chance"); chance != value.end()) {
    rule.chance = chance->is_number() ? chance->get<double>() : 0;
  }
  return rule;
}

}  // namespace

struct Faults::State {
  struct Entry {
    FaultRule rule;
    std::unique_ptr<RE2> path;
  };
  mutable std::mutex mutex;
  std::vector<Entry> entries;
  std::mt19937_64 random;
  std::map<FaultAction, std::int64_t> taken;

  bool Strikes(double chance) {
    return chance >= 1 || std::uniform_real_distribution<>(0, 1)(random) < chance;
  }

  template <class Fits>
  std::optional<FaultRule> Take(const Fits& fits) {
    const std::lock_guard lock(mutex);
    for (Entry& entry : entries) {
      if (entry.rule.times == 0 || !fits(entry) || !Strikes(entry.rule.chance)) continue;
      if (entry.rule.times > 0) --entry.rule.times;
      ++taken[entry.rule.action];
      return entry.rule;
    }
    return std::nullopt;
  }
};

Faults::Faults() : state_(std::make_unique<State>()) {}
Faults::~Faults() = default;

void Faults::Seed(std::uint64_t seed) {
  const std::lock_guard lock(state_->mutex);
  state_->random.seed(seed);
}

Result<void> Faults::Add(FaultRule rule) {
  State::Entry entry;
  rule.delay_ms = std::clamp(rule.delay_ms, 0, kMaxDelayMs);
  if (rule.status < 100 || rule.status > 599) {
    return MakeError(ErrorCode::kInvalid, "a fault's status must be 100 to 599");
  }
  if (!(rule.chance > 0 && rule.chance <= 1)) {
    return MakeError(ErrorCode::kInvalid, "a fault's chance must be above 0 and at most 1");
  }
  if (!rule.path.empty()) {
    entry.path = std::make_unique<RE2>(rule.path, RE2::Quiet);
    if (!entry.path->ok()) {
      return MakeError(ErrorCode::kInvalid, fmt::format("fault path: {}", entry.path->error()));
    }
  }
  entry.rule = std::move(rule);
  const std::lock_guard lock(state_->mutex);
  std::erase_if(state_->entries, [](const State::Entry& old) { return old.rule.times == 0; });
  if (state_->entries.size() >= kMaxRules) {
    return MakeError(ErrorCode::kInvalid, "too many fault rules");
  }
  state_->entries.push_back(std::move(entry));
  return Ok();
}

Result<void> Faults::AddJson(std::string_view json_text) {
  SWAGE_ASSIGN_OR_RETURN(const nlohmann::json list, ParseJson(json_text));
  if (!list.is_array()) return MakeError(ErrorCode::kInvalid, "expected a list of fault rules");
  for (const nlohmann::json& value : list) {
    SWAGE_ASSIGN_OR_RETURN(FaultRule rule, RuleOf(value));
    SWAGE_RETURN_IF_ERROR(Add(std::move(rule)));
  }
  return Ok();
}

void Faults::Clear() {
  const std::lock_guard lock(state_->mutex);
  state_->entries.clear();
}

std::map<std::string, std::int64_t> Faults::Taken() const {
  const std::lock_guard lock(state_->mutex);
  std::map<std::string, std::int64_t> taken;
  for (const auto& [action, times] : state_->taken) taken.emplace(NameOf(action), times);
  return taken;
}

std::string Faults::ToJson() const {
  const std::lock_guard lock(state_->mutex);
  nlohmann::json list = nlohmann::json::array();
  for (const auto& [rule, path] : state_->entries) {
    if (rule.times == 0) continue;
    list.push_back({{"action", NameOf(rule.action)},
                    {"method", rule.method},
                    {"path", rule.path},
                    {"event", rule.event},
                    {"times", rule.times},
                    {"ms", rule.delay_ms},
                    {"status", rule.status},
                    {"retry_after", rule.retry_after_s},
                    {"copies", rule.copies},
                    {"chance", rule.chance}});
  }
  return DumpJson(list);
}

std::optional<FaultRule> Faults::TakeForRequest(std::string_view method, std::string_view target) {
  return state_->Take([&](const State::Entry& entry) {
    return !IsForWebhooks(entry.rule.action) &&
           (entry.rule.method.empty() || entry.rule.method == method) &&
           (entry.path == nullptr || RE2::PartialMatch(target, *entry.path));
  });
}

std::optional<FaultRule> Faults::TakeForWebhook(std::string_view event) {
  return state_->Take([&](const State::Entry& entry) {
    return IsForWebhooks(entry.rule.action) &&
           (entry.rule.event.empty() || entry.rule.event == event);
  });
}

}  // namespace swage::sandbox
