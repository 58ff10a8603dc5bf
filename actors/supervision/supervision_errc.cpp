#include "actors/supervision/supervision_errc.hpp"

#include <caf/exit_reason.hpp>
#include <caf/message.hpp>
#include <caf/sec.hpp>

namespace umbel {

namespace {

std::string code_name(const caf::error& x) {
  auto category = x.category();
  if (category == caf::atom("supervise"))
    return to_string(static_cast<supervision_errc>(x.code()));
  if (category == caf::atom("exit"))
    return to_string(static_cast<caf::exit_reason>(x.code()));
  if (category == caf::atom("system"))
    return to_string(static_cast<caf::sec>(x.code()));
  return to_string(category) + " error " + std::to_string(x.code());
}

/// The context in words; a lone string comes without quotes.
std::string context_text(const caf::message& context) {
  std::string result;
  for (size_t i = 0; i < context.size(); ++i) {
    if (i > 0)
      result += ", ";
    if (context.match_element<std::string>(i))
      result += context.get_as<std::string>(i);
    else
      result += context.stringify(i);
  }
  return result;
}

} // namespace

std::string to_string(supervision_errc code) {
  switch (code) {
    case supervision_errc::fatal:
      return "fatal";
    case supervision_errc::intensity_exceeded:
      return "intensity_exceeded";
    case supervision_errc::start_failed:
      return "start_failed";
    case supervision_errc::connection_lost:
      return "connection_lost";
    case supervision_errc::stuck:
      return "stuck";
    case supervision_errc::already_present:
      return "already_present";
    case supervision_errc::not_found:
      return "not_found";
    case supervision_errc::still_running:
      return "still_running";
    case supervision_errc::shutting_down:
      return "shutting_down";
    case supervision_errc::lease_lost:
      return "lease_lost";
  }
  return "unknown";
}

caf::error make_error(supervision_errc code, std::string context) {
  if (context.empty())
    return caf::make_error(code);
  return caf::make_error(code, std::move(context));
}

caf::error make_fatal(std::string message) {
  return make_error(supervision_errc::fatal, std::move(message));
}

bool operator==(const caf::error& x, supervision_errc code) noexcept {
  return x.compare(static_cast<uint8_t>(code), caf::atom("supervise")) == 0;
}

bool is_normal(const caf::error& reason) noexcept {
  return !reason || reason == caf::exit_reason::user_shutdown;
}

std::string describe(const caf::error& reason) {
  if (!reason)
    return "normal";
  auto context = context_text(reason.context());
  if (context.empty())
    return code_name(reason);
  if (reason == supervision_errc::fatal)
    return context;
  return code_name(reason) + ": " + context;
}

} // namespace umbel
