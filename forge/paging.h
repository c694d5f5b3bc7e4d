// Pages of a JSON list, counted and bounded, with the first one conditional. Between the REST
// client, which knows statuses, and the feeds, which know what the items mean.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "config/base/clock.h"
#include "config/base/result.h"
#include "forge/rest.h"

namespace swage {

struct PagedRead {
  bool unchanged = false;            ///< 304: nothing was visited
  bool more = false;                 ///< the bound was reached
  std::string etag;                  ///< of an answer that fits one page; else empty
  std::optional<WallTime> now = {};  ///< by the forge's clock, when it answered first; if it says
};

/// Visits at most `max_pages` of the list at `path`, until `visit` answers false.
Result<PagedRead> ReadPages(const RestClient& rest, std::string_view path, std::string_view etag,
                            int max_pages, const std::function<bool(const nlohmann::json&)>& visit);

/// The query parameter `name` of the "next" address in a Link header (RFC 8288), decoded; empty
/// when there is no next page. Only the parameter is taken: the address itself is not trusted.
std::string NextParameter(std::string_view link, std::string_view name);

}  // namespace swage
