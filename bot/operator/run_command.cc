#include "bot/operator/run_command.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <ostream>

#include "bot/cli.h"
#include "bot/dashboard/api.h"
#include "bot/operator/operator_name.h"
#include "config/base/json.h"
#include "forge/transport.h"
#include "pipeline/manual_request.h"

namespace swage {
namespace {

Error NoServer(const Settings& settings, std::string_view why) {
  return MakeError(
      ErrorCode::kUnavailable,
      fmt::format("the database belongs to a server that cannot be asked at {} ({}); it serves no "
                  "pages, or is another user's",
                  settings.dashboard, why));
}

Result<void> AskServer(const Settings& settings, const ManualRequest& request,
                       std::string_view issue, const Clock& clock) {
  const auto token = ReadApiToken(settings.data_dir);
  if (!token.ok()) return NoServer(settings, token.error().message);
  TransportOptions options;
  options.base_url = "http://" + settings.dashboard;
  options.headers = {{"authorization", "Bearer " + *token}};
  SWAGE_ASSIGN_OR_RETURN(const auto transport, MakeHttpTransport(options, clock));
  const nlohmann::json body = {
      {"issue", issue}, {"profile", request.profile}, {"actor", request.actor}};
  const auto reply = transport->Send({"POST", "/api/v1/tasks", DumpJson(body)});
  if (!reply.ok()) return NoServer(settings, reply.error().message);
  if (reply->status == 202) return Ok();
  const auto said = ParseJson(reply->body);
  return MakeError(ErrorCode::kDenied,
                   fmt::format("the server answered {}: {}", reply->status,
                               said.ok() ? JsonString(*said, "error") : reply->body));
}

Result<void> Ask(Opened& opened, const ManualRequest& request, const RunOptions& options,
                 const StoreAccess& access) {
  auto store = access.edit(opened.settings, opened.clock);
  if (store.ok()) {
    const auto stored = (*store)->AddDelivery(ToDelivery(request));
    return stored.ok() ? Ok() : Result<void>(stored.error());
  }
  // An embedded database has one process: the server that holds it.
  if (store.error().code != ErrorCode::kConflict) return store.error();
  return AskServer(opened.settings, request, options.issue, opened.clock);
}

}  // namespace

int RunIssueCommand(const RunOptions& options, const StoreAccess& access, std::ostream& out,
                    std::ostream& err) {
  Opened opened;
  if (!LoadSettingsOf(options.config, opened, err)) return opened.exit_code;
  auto request = FindIssueByAddress(options.issue, opened.settings.forges);
  if (!request.ok()) {
    err << "swage: " << request.error().message << "\n";
    return kExitUsage;
  }
  request->profile = options.profile;
  request->actor = OperatorName();
  if (const auto asked = Ask(opened, *request, options, access); !asked.ok()) {
    err << "swage: " << opened.redactor.Apply(asked.error().message) << "\n";
    return kExitFailed;
  }
  out << fmt::format(
      "asked for {}/{}#{}; `swage tasks` shows it, and `swage parked` if it cannot "
      "be done\n",
      request->forge, request->repo, request->issue);
  return kExitOk;
}

}  // namespace swage
