#include "forge/paging.h"

#include <fmt/format.h>

#include "config/base/text.h"
#include "forge/http_date.h"
#include "forge/rest_reply.h"

namespace swage {

Result<PagedRead> ReadPages(const RestClient& rest, std::string_view path, std::string_view etag,
                            int max_pages,
                            const std::function<bool(const nlohmann::json&)>& visit) {
  const char joint = path.find('?') == std::string_view::npos ? '?' : '&';
  PagedRead read;
  for (int page = 1; page <= max_pages; ++page) {
    const std::string at = fmt::format("{}{}{}={}&page={}", path, joint, rest.paging().size_name,
                                       rest.paging().size, page);
    SWAGE_ASSIGN_OR_RETURN(const RestClient::Reply reply,
                           rest.GetIfChanged(at, page == 1 ? etag : ""));
    if (reply.status == 304) return PagedRead{.unchanged = true, .etag = std::string(etag)};
    if (page == 1) read.now = ParseHttpDate(reply.date);
    if (!reply.body.is_array()) {
      return MakeError(ErrorCode::kUnavailable, fmt::format("GET {}: no list", path));
    }
    for (const nlohmann::json& item : reply.body) {
      if (!visit(item)) return read;
    }
    if (rest.paging().IsLast(reply.body.size())) {
      if (page == 1) read.etag = reply.etag;
      return read;
    }
  }
  read.more = true;
  return read;
}

std::string NextParameter(std::string_view link, std::string_view name) {
  for (const std::string_view entry : Split(link, ',')) {
    if (entry.find("rel=\"next\"") == std::string_view::npos) continue;
    const std::size_t open = entry.find('<');
    const std::size_t close = entry.find('>');
    const std::size_t query = entry.find('?');
    if (open == entry.npos || close == entry.npos || query == entry.npos || query > close) continue;
    for (const std::string_view pair : Split(entry.substr(query + 1, close - query - 1), '&')) {
      if (!pair.starts_with(name) || pair.size() <= name.size() || pair[name.size()] != '=') {
        continue;
      }
      return PercentDecode(pair.substr(name.size() + 1)).value_or("");
    }
  }
  return "";
}

}  // namespace swage
