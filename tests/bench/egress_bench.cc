// What the egress proxy costs: requests on connections of their own to a server on loopback, direct
// and through a tunnel, turn about. Prints medians; see egress.sh.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

#include "pipeline/isolation/egress_offer.h"
#include "pipeline/isolation/egress_proxy.h"
#include "tests/harness/raw_http.h"
#include "tests/harness/trap_server.h"

namespace swage {
namespace {

constexpr int kRounds = 500;
constexpr int kProxyPort = 23'128;

class Loopback final : public HostResolver {
 public:
  Result<std::vector<IpAddress>> Resolve(const std::string&, int) override {
    return std::vector<IpAddress>{*ParseIp("127.0.0.1")};
  }
};

// Milliseconds; negative when there was no answer.
double Time(int port, const std::string& request) {
  const auto begin = std::chrono::steady_clock::now();
  RawHttp client(port);
  bool closed = false;
  client.Send(request);
  if (client.ReadToEnd(closed).find("hello") == std::string::npos) return -1;
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin)
      .count();
}

double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + kRounds / 2, values.end());
  return values[kRounds / 2];
}

int Run() {
  TrapServer server([](const httplib::Request&, httplib::Response& response) {
    response.status = 200;
    response.set_content("hello", "text/plain");
  });
  const std::string url = server.Url();
  const int port = std::stoi(url.substr(url.rfind(':') + 1));
  const std::string host = "allowed.test:" + std::to_string(port);
  TempDir dir;
  Loopback resolver;
  EgressRecord record;
  EgressOptions options{EgressList::Parse({host, "127.0.0.0/8"}).value(), dir.path(), {}};
  const auto proxy = EgressProxy::Start(std::move(options), resolver, record);
  if (!proxy.ok() || OfferEgress((*proxy)->SocketPath().c_str(), kProxyPort) != 0) return 1;
  const std::string get = "GET / HTTP/1.0\r\n\r\n";
  std::vector<double> direct, tunnelled;
  for (int i = 0; i < kRounds; ++i) {
    direct.push_back(Time(port, get));
    tunnelled.push_back(Time(kProxyPort, "CONNECT " + host + " HTTP/1.1\r\n\r\n" + get));
    if (direct.back() < 0 || tunnelled.back() < 0) return 1;
  }
  std::printf("figure egress_direct_ms %.3f ms\n", Median(direct));
  std::printf("figure egress_proxy_ms %.3f ms\n", Median(tunnelled));
  return 0;
}

}  // namespace
}  // namespace swage

int main() {
  return swage::Run();
}
