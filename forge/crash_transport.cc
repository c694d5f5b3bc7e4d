#include "forge/crash_transport.h"

#include <string>

namespace swage {
namespace {

// "forge/POST pulls": the last word of the path tells writes apart; numbers and names do not.
std::string PointName(const HttpRequest& request) {
  std::string_view path = request.path;
  path = path.substr(0, path.find('?'));
  std::string_view word;
  while (!path.empty()) {
    const std::size_t slash = path.rfind('/');
    word = slash == std::string_view::npos ? path : path.substr(slash + 1);
    const bool digits = word.find_first_of("0123456789") != std::string_view::npos;
    if (!word.empty() && !digits) break;
    path = path.substr(0, slash == std::string_view::npos ? 0 : slash);
  }
  return "forge/" + request.method + " " + std::string(word);
}

class CrashTransport final : public HttpTransport {
 public:
  CrashTransport(std::unique_ptr<HttpTransport> inner, CrashPoints& points)
      : inner_(std::move(inner)), points_(points) {}

  Result<HttpResponse> Send(const HttpRequest& request) override {
    auto response = inner_->Send(request);
    if (request.method != "GET") points_.Pass(PointName(request));
    return response;
  }

 private:
  std::unique_ptr<HttpTransport> inner_;
  CrashPoints& points_;
};

}  // namespace

std::unique_ptr<HttpTransport> WithCrashPoints(std::unique_ptr<HttpTransport> inner,
                                               CrashPoints& points) {
  return std::make_unique<CrashTransport>(std::move(inner), points);
}

}  // namespace swage
