// The front page: which repositories this forge holds.
#include <fmt/format.h>

#include "config/base/text.h"
#include "forge/sandbox/dialect.h"

namespace swage::sandbox {
namespace {

std::string Escape(std::string_view text) {
  std::string out = ReplaceAll(std::string(text), "&", "&amp;");
  out = ReplaceAll(std::move(out), "<", "&lt;");
  return ReplaceAll(std::move(out), "\"", "&quot;");
}

Reply FrontPage(const Call& call) {
  std::string rows;
  for (const auto& repo : call.world.repos()) {
    rows += fmt::format("<li>{} ({} issues, {} pull requests)</li>", Escape(repo->Path()),
                        repo->issues.size(), repo->pulls.size());
  }
  return Reply::Text(200, "text/html; charset=utf-8",
                     fmt::format("<!doctype html><title>Sandbox forge</title><h1>Sandbox forge</h1>"
                                 "<ul>{}</ul>",
                                 rows));
}

}  // namespace

void MountPage(Router& router, Dialect) {
  router.Add("GET", "/", FrontPage);
}

}  // namespace swage::sandbox
