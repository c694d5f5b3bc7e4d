#include "forge/sandbox/markdown_html.h"

#include <cmark-gfm-core-extensions.h>
#include <cmark-gfm-extension_api.h>
#include <cmark-gfm.h>
#include <re2/re2.h>

#include <cstdlib>
#include <memory>

#include "config/base/text.h"

namespace swage::sandbox {
namespace {

struct FreeNode {
  void operator()(cmark_node* node) const { cmark_node_free(node); }
};
struct FreeParser {
  void operator()(cmark_parser* parser) const { cmark_parser_free(parser); }
};
struct FreeIter {
  void operator()(cmark_iter* iter) const { cmark_iter_free(iter); }
};
using NodePtr = std::unique_ptr<cmark_node, FreeNode>;
using ParserPtr = std::unique_ptr<cmark_parser, FreeParser>;

struct Parsed {
  ParserPtr parser;  // owns the list of extensions that the renderer needs
  NodePtr root;
};

Parsed Parse(std::string_view text) {
  cmark_gfm_core_extensions_ensure_registered();
  Parsed parsed;
  parsed.parser.reset(cmark_parser_new(CMARK_OPT_VALIDATE_UTF8));
  for (const char* name : {"table", "strikethrough", "autolink", "tasklist"}) {
    cmark_syntax_extension* extension = cmark_find_syntax_extension(name);
    if (extension) cmark_parser_attach_syntax_extension(parsed.parser.get(), extension);
  }
  const std::string_view capped = text.substr(0, kMaxMarkdown);
  cmark_parser_feed(parsed.parser.get(), capped.data(), capped.size());
  parsed.root.reset(cmark_parser_finish(parsed.parser.get()));
  return parsed;
}

/// A remote image would tell its host who reads the page: it becomes a link.
void ImagesToLinks(cmark_node* root) {
  const std::unique_ptr<cmark_iter, FreeIter> iter(cmark_iter_new(root));
  for (cmark_event_type event; (event = cmark_iter_next(iter.get())) != CMARK_EVENT_DONE;) {
    cmark_node* node = cmark_iter_get_node(iter.get());
    if (event != CMARK_EVENT_EXIT || cmark_node_get_type(node) != CMARK_NODE_IMAGE) continue;
    cmark_node* link = cmark_node_new(CMARK_NODE_LINK);
    cmark_node_set_url(link, cmark_node_get_url(node));
    while (cmark_node* child = cmark_node_first_child(node)) cmark_node_append_child(link, child);
    cmark_node_insert_before(node, link);
    cmark_node_free(node);
  }
}

/// The tags that both forges let through and that bots use to fold long output away; without
/// attributes they can do no harm.
bool IsHarmless(std::string_view html) {
  static const RE2 allowed(
      R"((?i)(?:[^<>]|</?(?:details|summary|br|sub|sup|kbd|code|strong|em)\s*/?>|<details open>)*)");
  return RE2::FullMatch(re2::StringPiece(html.data(), html.size()), allowed);
}

/// Lets harmless HTML through: cmark writes custom nodes as they are and leaves other raw HTML out.
void KeepHarmlessHtml(cmark_node* root) {
  const std::unique_ptr<cmark_iter, FreeIter> iter(cmark_iter_new(root));
  for (cmark_event_type event; (event = cmark_iter_next(iter.get())) != CMARK_EVENT_DONE;) {
    cmark_node* node = cmark_iter_get_node(iter.get());
    const cmark_node_type type = cmark_node_get_type(node);
    const bool block = type == CMARK_NODE_HTML_BLOCK;
    if (!block && type != CMARK_NODE_HTML_INLINE) continue;
    const char* literal = cmark_node_get_literal(node);
    if (literal == nullptr || !IsHarmless(literal)) continue;
    cmark_node* custom = cmark_node_new(block ? CMARK_NODE_CUSTOM_BLOCK : CMARK_NODE_CUSTOM_INLINE);
    cmark_node_set_on_enter(custom, literal);
    cmark_node_insert_before(node, custom);
    cmark_node_free(node);
  }
}

}  // namespace

std::string RenderMarkdown(std::string_view text) {
  const Parsed parsed = Parse(text);
  ImagesToLinks(parsed.root.get());
  KeepHarmlessHtml(parsed.root.get());
  char* html = cmark_render_html(parsed.root.get(), CMARK_OPT_DEFAULT,
                                 cmark_parser_get_syntax_extensions(parsed.parser.get()));
  std::string result = html ? html : "";
  std::free(html);
  return ReplaceAll(std::move(result), "<!-- raw HTML omitted -->", "");
}

std::string VisibleWords(std::string_view text) {
  const Parsed parsed = Parse(text);
  std::string words;
  int inside_link = 0;
  const std::unique_ptr<cmark_iter, FreeIter> iter(cmark_iter_new(parsed.root.get()));
  for (cmark_event_type event; (event = cmark_iter_next(iter.get())) != CMARK_EVENT_DONE;) {
    cmark_node* node = cmark_iter_get_node(iter.get());
    const cmark_node_type type = cmark_node_get_type(node);
    if (type == CMARK_NODE_LINK) {
      inside_link += event == CMARK_EVENT_ENTER ? 1 : -1;
      words += '\x01';
    } else if (type == CMARK_NODE_TEXT) {
      const char* literal = cmark_node_get_literal(node);
      if (inside_link == 0 && literal) words += literal;
    } else if (type == CMARK_NODE_CODE || type == CMARK_NODE_HTML_INLINE) {
      words += '\x01';
    } else if (type == CMARK_NODE_SOFTBREAK || type == CMARK_NODE_LINEBREAK) {
      words += '\n';
    } else if (event == CMARK_EVENT_EXIT &&
               (type & CMARK_NODE_TYPE_MASK) == CMARK_NODE_TYPE_BLOCK) {
      words += "\n\n";
    }
  }
  return words;
}

}  // namespace swage::sandbox
