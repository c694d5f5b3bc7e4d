// RestClient::Reply, apart from rest.h so that only .cc files pay for the full JSON header.
#pragma once

#include <nlohmann/json.hpp>

#include "forge/rest.h"

namespace swage {

struct RestClient::Reply {
  int status = 0;
  nlohmann::json body;  ///< null when there is none, or when it is no JSON
  std::string etag;     ///< for HttpRequest::if_none_match; empty = none
  std::string date;     ///< of the answer, as sent; empty = none
  std::string link;     ///< RFC 8288, as sent: nothing in it is trusted with addresses
  bool ok() const { return status >= 200 && status < 300; }
};

}  // namespace swage
