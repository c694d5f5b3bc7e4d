// The template behind PageOf: kept apart because it needs the whole JSON library.
#pragma once

#include <nlohmann/json.hpp>

#include "forge/sandbox/gitea_api.h"

namespace swage::sandbox::gitea {

template <class Items, class Render>
Reply Paged(const Call& call, const Items& items, const Render& render) {
  const Page page = PageOf(call, items.size());
  nlohmann::json list = nlohmann::json::array();
  for (std::size_t i = page.begin; i < page.end; ++i) list.push_back(render(items[i]));
  return PagedReply(page, list, items.size());
}

/// A list that knows no pages.
template <class Items, class Render>
Reply Whole(const Items& items, const Render& render) {
  nlohmann::json list = nlohmann::json::array();
  for (const auto& item : items) list.push_back(render(item));
  return Reply::Json(200, list);
}

}  // namespace swage::sandbox::gitea
