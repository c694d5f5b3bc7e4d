#include "forge/traffic_gate.h"

#include <utility>

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
  GatedTransport(std::unique_ptr<HttpTransport> inner, TrafficGate& gate)
      : inner_(std::move(inner)), gate_(gate) {}

  Result<HttpResponse> Send(const HttpRequest& request) override {
    if (const auto passed = Pass(gate_, request.Writes()); !passed.ok()) {
      return passed.error().With(request.method);
    }
    Result<HttpResponse> response = inner_->Send(request);
    if (!WasCalledOff(response)) gate_.Leave(request.Writes(), OutcomeOf(response));
    return response;
  }

 private:
  const std::unique_ptr<HttpTransport> inner_;
  TrafficGate& gate_;
};

}  // namespace

Result<void> Pass(TrafficGate& gate, bool writes) {
  SWAGE_RETURN_IF_ERROR(gate.Enter(writes, WorkScope::Stop()));
  return WorkScope::Check(writes);
}

std::unique_ptr<HttpTransport> MakeGatedTransport(std::unique_ptr<HttpTransport> inner,
                                                  TrafficGate& gate) {
  return std::make_unique<GatedTransport>(std::move(inner), gate);
}

}  // namespace swage
