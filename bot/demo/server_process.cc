#include "bot/demo/server_process.h"

#include <fmt/format.h>
#include <httplib.h>

#include <fstream>

#include "config/base/files.h"

namespace swage::demo {
namespace {

constexpr auto kStartLimit = std::chrono::seconds(20);
constexpr auto kProbeInterval = std::chrono::milliseconds(20);
constexpr auto kStopGrace = std::chrono::seconds(15);
constexpr std::size_t kShownLog = 2'000;

bool Healthy(int port) {
  httplib::Client client("127.0.0.1", port);
  client.set_connection_timeout(1);
  client.set_read_timeout(2);
  const auto response = client.Get("/healthz");
  return response && response->status == 200;
}

}  // namespace

Result<std::unique_ptr<ServerProcess>> ServerProcess::Start(const std::filesystem::path& config,
                                                            const std::filesystem::path& log,
                                                            int port,
                                                            std::map<std::string, std::string> env,
                                                            std::function<void()> on_end) {
  SWAGE_ASSIGN_OR_RETURN(const std::string supervisor, FindSupervisor());
  std::unique_ptr<ServerProcess> server(new ServerProcess());
  server->runner_ = MakePosixProcessRunner(supervisor);
  ProcessSpec spec;
  spec.argv = {std::filesystem::read_symlink("/proc/self/exe").string(), "serve", "--config",
               config.string()};
  spec.env = std::move(env);
  spec.cwd = config.parent_path().string();
  spec.kill_grace = kStopGrace;
  spec.output_cap = std::size_t{1} << 30;
  ServerProcess* self = server.get();
  self->log_ = log;
  self->thread_ = std::jthread([self, spec, log, on_end](std::stop_token stop) {
    std::ofstream out(log, std::ios::binary | std::ios::trunc);
    const auto sink = [&](std::string_view bytes) { out << bytes << std::flush; };
    const auto result = self->runner_->Run(spec, sink, stop);
    if (!result.ok()) out << result.error().message << "\n";
    self->ended_ = true;
    if (!stop.stop_requested()) on_end();
  });
  const auto deadline = std::chrono::steady_clock::now() + kStartLimit;
  while (!Healthy(port)) {
    if (self->ended_) {
      self->thread_.join();
      return MakeError(ErrorCode::kInternal,
                       fmt::format("the server did not start:\n{}", self->LastWords()));
    }
    if (std::chrono::steady_clock::now() > deadline) {
      return MakeError(
          ErrorCode::kTimeout,
          fmt::format("the server does not answer on port {}:\n{}", port, self->LastWords()));
    }
    std::this_thread::sleep_for(kProbeInterval);
  }
  return server;
}

std::string ServerProcess::LastWords() const {
  const auto text = ReadFile(log_);
  if (!text.ok()) return "(no log)";
  return text->substr(text->size() - std::min(text->size(), kShownLog));
}

ServerProcess::~ServerProcess() {
  Stop();
}

void ServerProcess::Stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

}  // namespace swage::demo
