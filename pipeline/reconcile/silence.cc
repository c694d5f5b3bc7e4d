#include "pipeline/reconcile/silence.h"

#include <fmt/format.h>

#include "pipeline/messages.h"
#include "pipeline/reconcile/stamp.h"

namespace swage {
namespace {

// Holds the first find that no webhook has told of since; it becomes the alarm's.
std::string MissedKey(std::string_view forge) {
  return fmt::format("missed:{}", forge);
}

std::string AlarmKey(std::string_view forge) {
  return fmt::format("{}webhooks:{}", kAlarmPrefix, forge);
}

}  // namespace

Result<void> Silence::Forget(std::string_view forge) {
  SWAGE_RETURN_IF_ERROR(store_.ForgetPoll(MissedKey(forge)));
  return store_.ForgetPoll(AlarmKey(forge));
}

Result<void> Silence::Note(std::string_view forge, int found) {
  const std::string missed_key = MissedKey(forge);
  const std::string alarm_key = AlarmKey(forge);
  SWAGE_ASSIGN_OR_RETURN(const auto missed, store_.GetPoll(missed_key));
  const WallTime now = clock_.Now();
  if (!missed) {
    if (found == 0) return Ok();
    return store_.SetPoll({missed_key, Stamp(now), ""});
  }
  const WallTime since = Instant(missed->cursor);
  SWAGE_ASSIGN_OR_RETURN(const auto alarm, store_.GetPoll(alarm_key));
  SWAGE_ASSIGN_OR_RETURN(const bool heard, store_.HasDeliverySince(forge, since));
  if (heard) {
    SWAGE_RETURN_IF_ERROR(store_.ForgetPoll(missed_key));
    if (!alarm) return Ok();
    log_.Info("webhooks arrive again", {{"forge", forge}});
    return store_.ForgetPoll(alarm_key);
  }
  if (alarm || now < since + patience_) return Ok();
  const std::string sentence = messages::WebhooksAreSilent(forge, since);
  log_.Warn("a forge's webhooks are silent", {{"forge", forge}, {"advice", sentence}});
  return store_.SetPoll({alarm_key, missed->cursor, sentence});
}

}  // namespace swage
