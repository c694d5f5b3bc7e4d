#include <kainjow/mustache.hpp>

#include <array>

#include "config/base/json.h"
#include "config/base/text.h"
#include "forge/sandbox/assets/embedded.h"
#include "forge/sandbox/page.h"

namespace swage::sandbox::page {
namespace {

namespace ms = kainjow::mustache;

constexpr std::array<const char*, 7> kPartials = {"part_head",   "part_foot",   "part_note",
                                                  "part_awards", "part_labels", "part_timeline",
                                                  "part_thread"};

std::string File(std::string_view name) {
  const std::string_view text = forge_sandbox_assets::EmbeddedFile(name);
  SWAGE_CHECK(!text.empty());
  return std::string(text);
}

/// Empty text is false for a section, as in the other implementations of Mustache.
ms::data ToData(const Json& value) {
  if (value.is_object()) {
    ms::data object(ms::data::type::object);
    for (const auto& [key, item] : value.items()) object.set(key, ToData(item));
    return object;
  }
  if (value.is_array()) {
    ms::data list(ms::data::type::list);
    for (const Json& item : value) list.push_back(ToData(item));
    return list;
  }
  if (value.is_boolean()) return ms::data(value.get<bool>());
  if (value.is_null()) return ms::data(false);
  const std::string text = value.is_string() ? value.get<std::string>() : DumpJson(value);
  return text.empty() ? ms::data(false) : ms::data(ToValidUtf8(text));
}

}  // namespace

std::string RenderTemplate(std::string_view name, const Json& view) {
  ms::data data = ToData(view);
  for (const char* partial : kPartials) {
    data.set(
        partial,
        ms::data(ms::partial([text = File(std::string(partial) + ".mustache")] { return text; })));
  }
  ms::mustache page(File(name));
  SWAGE_CHECK(page.is_valid());
  return page.render(data);
}

}  // namespace swage::sandbox::page
