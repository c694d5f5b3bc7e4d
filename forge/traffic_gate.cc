#include "forge/traffic_gate.h"

#include <utility>

namespace swage {
namespace {

constexpr int kUnauthorized = 401;

std::stop_token& ThreadsStop() {
  thread_local std::stop_token stop;
  return stop;
}

bool Writes(const HttpRequest& request) {
  return request.method != "GET" && !request.only_reads;
}

Result<void> OutcomeOf(const Result<HttpResponse>& response) {
  if (!response.ok()) return response.error();
  if (response->status != kUnauthorized) return Ok();
  return MakeError(ErrorCode::kUnauthenticated, "the forge answered 401");
}

class GatedTransport final : public HttpTransport {
 public:
  GatedTransport(std::unique_ptr<HttpTransport> inner, TrafficGate& gate)
      : inner_(std::move(inner)), gate_(gate) {}

  Result<HttpResponse> Send(const HttpRequest& request) override {
    const std::stop_token stop = WorkScope::Current();
    SWAGE_RETURN_IF_ERROR(gate_.Enter(Writes(request), stop));
    if (stop.stop_requested()) {
      return MakeError(ErrorCode::kCancelled, "called off before " + request.method);
    }
    Result<HttpResponse> response = inner_->Send(request);
    gate_.Leave(Writes(request), OutcomeOf(response));
    return response;
  }

 private:
  const std::unique_ptr<HttpTransport> inner_;
  TrafficGate& gate_;
};

}  // namespace

WorkScope::WorkScope(std::stop_token stop)
    : outer_(std::exchange(ThreadsStop(), std::move(stop))) {}

WorkScope::~WorkScope() {
  ThreadsStop() = std::move(outer_);
}

std::stop_token WorkScope::Current() {
  return ThreadsStop();
}

std::unique_ptr<HttpTransport> MakeGatedTransport(std::unique_ptr<HttpTransport> inner,
                                                  TrafficGate& gate) {
  return std::make_unique<GatedTransport>(std::move(inner), gate);
}

}  // namespace swage
