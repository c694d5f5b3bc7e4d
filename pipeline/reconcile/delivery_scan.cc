#include "pipeline/reconcile/delivery_scan.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "config/base/text.h"

namespace swage {
namespace {

bool IsRefusal(ErrorCode code) {
  return code == ErrorCode::kDenied || code == ErrorCode::kNotFound;
}

std::string MarkKey(const RepoRef& repo, const Hook& hook) {
  return fmt::format("hook:{}:{}:{}", repo.forge, hook.shared ? "all" : repo.id, hook.id);
}

}  // namespace

bool IsOurHook(std::string_view url, std::string_view forge_name) {
  url = url.substr(0, url.find_first_of("?#"));
  while (url.ends_with('/')) url.remove_suffix(1);
  return url.ends_with(fmt::format("/hooks/{}", forge_name));
}

Result<int> DeliveryScan::Run(Forge& forge, const RepoRef& repo, Budget& budget) {
  budget.Take();
  const auto hooks = forge.Feed()->ListHooks(repo);
  if (!hooks.ok() && IsRefusal(hooks.error().code)) {
    if (said_.insert(repo.forge + ":" + repo.id).second) {
      log_.Warn(
          "lost webhooks cannot be looked for: the token may not read the repository's webhooks; "
          "give it the permission \"Webhooks: read\" (classic tokens: admin:repo_hook)",
          {{"forge", repo.forge}, {"repo", repo.path}, {"error", hooks.error().message}});
    }
    return 0;
  }
  if (!hooks.ok()) return hooks.error();
  int recovered = 0;
  for (const Hook& hook : *hooks) {
    if (!IsOurHook(hook.url, repo.forge) || budget.IsSpent()) continue;
    const std::string key = MarkKey(repo, hook);
    if (!budget.IsFirst(key)) continue;
    SWAGE_ASSIGN_OR_RETURN(const int some, ScanHook(forge, repo, hook, budget));
    recovered += some;
  }
  return recovered;
}

// Oldest first, and the mark moves with each: a scan that ends half-way loses nothing.
Result<int> DeliveryScan::ScanHook(Forge& forge, const RepoRef& repo, const Hook& hook,
                                   Budget& budget) {
  const std::string key = MarkKey(repo, hook);
  SWAGE_ASSIGN_OR_RETURN(const auto mark, store_.GetPoll(key));
  const std::int64_t seen = mark ? ParseInt(mark->cursor).value_or(0) : 0;
  budget.Take();
  SWAGE_ASSIGN_OR_RETURN(std::vector<HookDelivery> deliveries,
                         forge.Feed()->ListDeliveries(repo, hook.id, seen));
  std::sort(deliveries.begin(), deliveries.end(),
            [](const auto& a, const auto& b) { return a.id < b.id; });
  int recovered = 0;
  std::int64_t reached = seen;
  for (const HookDelivery& delivery : deliveries) {
    if (budget.IsSpent()) break;
    SWAGE_ASSIGN_OR_RETURN(const bool known, store_.HasDelivery(repo.forge, delivery.key));
    if (!known && delivery.event != "ping") {
      budget.Take();
      const auto body = forge.Feed()->GetDeliveryBody(repo, hook.id, delivery.id);
      if (!body.ok() && !IsRefusal(body.error().code)) return body.error();
      if (body.ok()) {
        SWAGE_ASSIGN_OR_RETURN(const bool fresh, store_.AddDelivery({repo.forge, delivery.key,
                                                                     delivery.event, *body}));
        recovered += fresh ? 1 : 0;
      }
    }
    reached = delivery.id;
  }
  if (reached != seen) SWAGE_RETURN_IF_ERROR(store_.SetPoll({key, std::to_string(reached), ""}));
  if (recovered > 0) {
    log_.Warn("webhooks that never arrived were fetched",
              {{"forge", repo.forge}, {"repo", repo.path}, {"deliveries", recovered}});
  }
  return recovered;
}

}  // namespace swage
