#include "bot/roles/web_role.h"

namespace swage {

WebRole::WebRole(const NodeParts& parts)
    : dashboard_(parts.settings, parts.node, parts.store, parts.clock, parts.log,
                 [&hints = parts.hints] { hints.Give(HintTopic::kDeliveries); }) {}

}  // namespace swage
