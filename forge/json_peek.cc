#include "forge/json_peek.h"

#include <nlohmann/json.hpp>

#include "config/base/json.h"

namespace swage {
namespace {

using nlohmann::json;

// Follows the nesting and keeps what stands at outer/inner.
class Peeker final : public json::json_sax_t {
 public:
  Peeker(std::string_view outer, std::string_view inner) : outer_(outer), inner_(inner) {}

  const std::string& found() const { return found_; }

  bool null() override { return Value(); }
  bool boolean(bool) override { return Value(); }
  bool number_integer(number_integer_t) override { return Value(); }
  bool number_unsigned(number_unsigned_t) override { return Value(); }
  bool number_float(number_float_t, const string_t&) override { return Value(); }
  bool binary(binary_t&) override { return Value(); }
  bool string(string_t& value) override {
    Value();
    if (AtTarget()) found_ = value;
    return true;
  }
  bool start_object(std::size_t) override { return Open(true); }
  bool end_object() override { return Close(); }
  bool start_array(std::size_t) override { return Open(false); }
  bool end_array() override { return Close(); }
  bool key(string_t& name) override {
    if (depth_ == 1) at_outer_ = name == outer_;
    if (depth_ == 2) at_inner_ = name == inner_;
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const json::exception&) override {
    found_.clear();
    return false;
  }

 private:
  bool AtTarget() const { return depth_ == 2 && root_object_ && in_outer_ && at_inner_; }
  // Any new value for a name replaces the one before it.
  bool Value() {
    if (AtTarget()) found_.clear();
    if (depth_ == 1 && root_object_ && at_outer_) found_.clear();
    return true;
  }
  bool Open(bool object) {
    Value();
    if (depth_ == 0) root_object_ = object;
    if (depth_ == 1) in_outer_ = object && at_outer_;
    at_inner_ = at_inner_ && depth_ >= 2;
    return ++depth_ <= kMaxJsonDepth;
  }
  bool Close() {
    if (--depth_ == 1) in_outer_ = at_outer_ = at_inner_ = false;
    return true;
  }

  std::string_view outer_;
  std::string_view inner_;
  std::string found_;
  int depth_ = 0;
  bool root_object_ = false;
  bool at_outer_ = false;  // the value to come belongs to `outer`
  bool in_outer_ = false;  // inside that object
  bool at_inner_ = false;
};

}  // namespace

std::string PeekJsonString(std::string_view text, std::string_view outer, std::string_view inner) {
  Peeker peeker(outer, inner);
  try {
    if (!json::sax_parse(text.begin(), text.end(), &peeker)) return {};
  } catch (const json::exception&) {
    return {};  // a number out of range, for one
  }
  return peeker.found();
}

}  // namespace swage
