#include "protocol/webhook/answer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

namespace umbel::webhook {

namespace {

constexpr auto module_name = "celery.task.http";
constexpr std::chrono::seconds longest_wait = std::chrono::hours{24};

exception invalid(const std::string& what, const std::string& why) {
  return exception("InvalidResponseError", {what + ": " + why}, module_name);
}

/// The object that a body holds, or why it holds none.
expected<json::object> read_body(const std::string& body) {
  auto parsed = parse_json(body);
  if (!parsed)
    return parsed.error();
  if (!parsed->is_object())
    return error{errc::malformed, "no JSON object"};
  return std::move(parsed->get_object());
}

std::string_view text_of(const json::object& x, std::string_view name) {
  auto* value = x.if_contains(name);
  return value && value->is_string() ? std::string_view{value->get_string()}
                                     : std::string_view{};
}

exception remote_error(const json::object& x) {
  auto* reason = x.if_contains("reason");
  return exception("RemoteExecuteError", {reason ? *reason : json::value{}},
                   module_name);
}

/// "Sun, 06 Nov 1994 08:49:37 GMT"
std::optional<timestamp> read_date(const std::string& text) {
  constexpr std::array months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                              "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  unsigned day = 0;
  char month[4] = "";
  int year = 0, hour = 0, minute = 0, second = 0;
  if (std::sscanf(text.c_str(), "%*3s, %2u %3s %4d %2d:%2d:%2d GMT", &day, month,
                  &year, &hour, &minute, &second)
      != 6)
    return {};
  auto i = std::ranges::find(months, std::string_view{month});
  if (i == months.end())
    return {};
  std::chrono::year_month_day date{
      std::chrono::year{year},
      std::chrono::month{static_cast<unsigned>(i - months.begin()) + 1},
      std::chrono::day{day}};
  if (!date.ok())
    return {};
  return timestamp{std::chrono::sys_days{date} + std::chrono::hours{hour}
                   + std::chrono::minutes{minute}
                   + std::chrono::seconds{second}};
}

} // namespace

json::value read_answer(const std::string& what, const http_response& x) {
  if (x.status < 200 || x.status > 299)
    throw status_error(what, x);
  if (x.status == 204 && x.body.empty())
    return nullptr;
  if (x.body.empty())
    throw invalid(what, "empty response");
  auto answer = read_body(x.body);
  if (!answer)
    throw invalid(what, answer.error().what);
  auto status = text_of(*answer, "status");
  if (status == "failure")
    throw remote_error(*answer);
  if (status == "success") {
    if (auto* result = answer->if_contains("retval"))
      return std::move(*result);
    throw invalid(what, "there is no \"retval\"");
  }
  if (!answer->contains("status"))
    throw invalid(what, "there is no \"status\"");
  throw exception("UnknownStatusError",
                  {what + ": status " + python_repr(answer->at("status"))},
                  module_name);
}

bool is_retriable(int status) {
  return status == 429 || (status >= 502 && status <= 504);
}

exception status_error(const std::string& what, const http_response& x) {
  auto answer = read_body(x.body);
  if (answer && text_of(*answer, "status") == "failure")
    return remote_error(*answer);
  return exception("HTTPError", {fmt::format("{}: status {}", what, x.status)},
                   module_name);
}

std::optional<std::chrono::seconds> retry_after(std::string_view header,
                                                timestamp now) {
  std::optional<std::chrono::seconds> result;
  int64_t seconds = 0;
  auto last = header.data() + header.size();
  auto [ptr, ec] = std::from_chars(header.data(), last, seconds);
  if (ptr == last && ec == std::errc{})
    result = std::chrono::seconds{std::clamp<int64_t>(seconds, 0, 86'400)};
  else if (auto date = read_date(std::string{header}))
    result = std::chrono::ceil<std::chrono::seconds>(*date - now);
  if (result)
    result = std::clamp(*result, std::chrono::seconds{0}, longest_wait);
  return result;
}

} // namespace umbel::webhook
