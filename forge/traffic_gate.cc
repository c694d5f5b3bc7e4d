#include "forge/traffic_gate.h"

#include <utility>

#include "forge/rate_limit.h"
#include "forge/work_scope.h"

namespace swage {
namespace {

constexpr int kUnauthorized = 401;

Result<void> OutcomeOf(const Result<HttpResponse>& response) {
  if (!response.ok()) return response.error();
  if (response->status != kUnauthorized) return Ok();
  return MakeError(ErrorCode::kUnauthenticated, "the forge answered 401");
}

// Checked once more by the transport, at the last moment.
bool WasCalledOff(const Result<HttpResponse>& response) {
  return !response.ok() && (response.error().code == ErrorCode::kCancelled ||
                            response.error().code == ErrorCode::kLeaseLost);
}

class GatedTransport final : public HttpTransport {
 public:
  GatedTransport(std::unique_ptr<HttpTransport> inner, TrafficGate& gate, TrafficOf traffic_of)
      : inner_(std::move(inner)), gate_(gate), traffic_of_(std::move(traffic_of)) {}

  Result<HttpResponse> Send(const HttpRequest& request) override {
    Traffic traffic = traffic_of_(request);
    traffic.background = WorkScope::IsBackground();
    if (const auto passed = Pass(gate_, traffic); !passed.ok()) {
      return passed.error().With(request.method);
    }
    Result<HttpResponse> response = inner_->Send(request);
    if (WasCalledOff(response)) return response;
    gate_.Leave(traffic, OutcomeOf(response), response.ok() ? QuotaIn(*response) : std::nullopt);
    return response;
  }

 private:
  const std::unique_ptr<HttpTransport> inner_;
  TrafficGate& gate_;
  const TrafficOf traffic_of_;
};

Traffic PlainTraffic(const HttpRequest& request) {
  return {.writes = request.Writes(), .makes_content = request.Writes()};
}

}  // namespace

Result<void> Pass(TrafficGate& gate, const Traffic& traffic) {
  SWAGE_RETURN_IF_ERROR(gate.Enter(traffic, WorkScope::Stop()));
  return WorkScope::Check(traffic.writes);
}

std::unique_ptr<HttpTransport> MakeGatedTransport(std::unique_ptr<HttpTransport> inner,
                                                  TrafficGate& gate, TrafficOf traffic_of) {
  if (!traffic_of) traffic_of = PlainTraffic;
  return std::make_unique<GatedTransport>(std::move(inner), gate, std::move(traffic_of));
}

}  // namespace swage
