#include "tests/harness/requests.h"

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "config/base/json.h"

namespace swage::test {

void RecordForContract(const sandbox::SandboxForge& server) {
  const char* const file = std::getenv("SWAGE_FORGE_RECORD");
  if (file == nullptr) return;
  std::ofstream out(file, std::ios::app);
  for (const sandbox::LoggedRequest& request : server.Requests()) {
    out << DumpJson(
               {{"method", request.method}, {"target", request.target}, {"body", request.body}})
        << "\n";
  }
}

}  // namespace swage::test
