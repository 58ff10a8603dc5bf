#include "protocol/control/worker_event.hpp"

#include "protocol/control/arguments.hpp"
#include "protocol/control/event.hpp"
#include "protocol/message/envelope_view.hpp"

#include <algorithm>
#include <cmath>

namespace umbel {

namespace {

using namespace std::chrono_literals;
using kind = worker_event::kind;

/// What is taken for a time between two heartbeats; the contract has seen null.
constexpr auto freq_min = 500ms;
constexpr std::chrono::milliseconds freq_max = 1h;

/// Names longer than this are none.
constexpr size_t name_max = 1'024;

/// Bytes of the largest event that is read. What an election is about is kept for
/// a while.
constexpr size_t event_max = 64 * 1'024;

error malformed_event(const std::string& what) {
  return {errc::malformed, "an event is malformed: " + what};
}

kind kind_of(std::string_view type) {
  if (type == "worker-heartbeat")
    return kind::heartbeat;
  if (type == "worker-online")
    return kind::online;
  if (type == "worker-offline")
    return kind::offline;
  if (type == "worker-elect")
    return kind::elect;
  if (type == "worker-elect-ack")
    return kind::elect_ack;
  return kind::other;
}

/// A name, as it may stand in a line of the log; empty if it is none.
std::string text_of(const json::object& from, std::string_view key) {
  auto x = from.if_contains(key);
  if (x == nullptr || !x->is_string() || x->get_string().size() > name_max)
    return {};
  std::string result{std::string_view{x->get_string()}};
  auto is_control = [](unsigned char c) { return c < ' ' || c == 0x7f; };
  return std::ranges::any_of(result, is_control) ? std::string{} : result;
}

std::chrono::milliseconds freq_of(const json::object& from) {
  auto x = from.if_contains("freq");
  if (x == nullptr || !x->is_number())
    return worker_event{}.freq;
  auto seconds = x->to_number<double>();
  if (!(seconds > 0))
    return worker_event{}.freq;
  auto most = std::chrono::duration<double>{freq_max}.count();
  return std::max<std::chrono::milliseconds>(
    freq_min, std::chrono::milliseconds{
                std::llround(std::min(seconds, most) * 1'000)});
}

} // namespace

expected<worker_event> parse_worker_event(const envelope& x,
                                          const content_rules& rules) {
  if (x.body.size() > event_max)
    return malformed_event("it is larger than 64 KiB");
  auto form = read_form(x.content_type, x.content_encoding, x.headers, rules);
  if (!form)
    return malformed_event(form.error().what);
  auto body = decode_body(*form, x.body, std::min(event_max, rules.body_max));
  if (!body)
    return malformed_event(body.error().what);
  worker_event result;
  if (body->is_array())
    return result;
  auto fields = body->if_object();
  if (fields == nullptr)
    return malformed_event("it is no object");
  result.what = kind_of(text_of(*fields, "type"));
  if (result.what == kind::other)
    return result;
  result.hostname = text_of(*fields, "hostname");
  if (result.hostname.empty())
    return malformed_event("it has no hostname");
  if (auto pid = fields->if_contains("pid"); pid && pid->is_int64())
    result.pid = pid->get_int64();
  if (auto clock = fields->if_contains("clock"); clock && clock->is_int64())
    result.clock = static_cast<uint64_t>(
      std::max<int64_t>(0, clock->get_int64()));
  result.freq = freq_of(*fields);
  if (result.what != kind::elect && result.what != kind::elect_ack)
    return result;
  result.id = text_of(*fields, "id");
  if (result.id.empty())
    return malformed_event("it belongs to no election");
  result.topic = text_of(*fields, "topic");
  if (auto action = fields->if_contains("action"))
    result.action = *action;
  return result;
}

json::object elect_fields(const std::string& id, const std::string& topic,
                          const json::value& action) {
  return {{"id", id}, {"topic", topic}, {"action", action}, {"cver", 1}};
}

json::object elect_ack_fields(const std::string& id) {
  return {{"id", id}};
}

} // namespace umbel
