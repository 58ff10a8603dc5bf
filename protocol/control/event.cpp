#include "protocol/control/event.hpp"

#include "protocol/control/open_message.hpp"
#include "protocol/message/envelope.hpp"

#include <algorithm>
#include <cmath>
#include <ctime>

namespace umbel {

void append_event(std::string& out, std::string_view type,
                  const json::object& fields, const event_source& source,
                  timestamp time, uint64_t clock) {
  auto x = fields;
  x["type"] = type;
  x["hostname"] = source.node.str();
  x["timestamp"] = std::chrono::duration<double>(time.time_since_epoch()).count();
  x["utcoffset"] = utc_offset();
  x["pid"] = source.pid;
  x["clock"] = clock;
  append_json(out, x);
}

std::string event_routing_key(std::string_view type) {
  std::string result{type};
  std::ranges::replace(result, '-', '.');
  return result;
}

std::string make_event_message(std::string body, const std::string& routing_key,
                               const event_source& source) {
  envelope x;
  x.body = std::move(body);
  if (source.form != serializer::json)
    if (auto value = parse_json(x.body))
      x.body = encode_body({source.form, compression::none}, *value);
  x.content_type = content_type_of(source.form);
  x.content_encoding = content_encoding_of(source.form);
  x.headers["hostname"] = source.node.str();
  x.properties["delivery_mode"] = 1;
  x.properties["delivery_info"] = json::object{{"exchange", source.exchange},
                                               {"routing_key", routing_key}};
  return to_text(x);
}

std::string_view event::text(std::string_view name) const {
  auto x = fields.if_contains(name);
  return x != nullptr && x->is_string() ? std::string_view{x->get_string()}
                                        : std::string_view{};
}

std::optional<double> event::number(std::string_view name) const {
  auto x = fields.if_contains(name);
  if (x == nullptr || !x->is_number())
    return std::nullopt;
  auto result = x->to_number<double>();
  return std::isfinite(result) ? std::optional{result} : std::nullopt;
}

namespace {

/// The last second of the year 9999: no clock of a node goes further.
constexpr double seconds_max = 253'402'300'799;

std::optional<event> read_event(json::value x) {
  if (!x.is_object())
    return std::nullopt;
  event result;
  result.fields = std::move(x.get_object());
  result.type = result.text("type");
  if (result.type.empty())
    return std::nullopt;
  result.node = node_name{std::string{result.text("hostname")}};
  if (auto seconds = result.number("timestamp"))
    result.time = timestamp{std::chrono::duration_cast<timestamp::duration>(
      std::chrono::duration<double>{std::clamp(*seconds, 0.0, seconds_max)})};
  if (auto clock = result.fields.if_contains("clock"); clock != nullptr)
    if (auto value = clock->if_int64(); value != nullptr && *value > 0)
      result.clock = static_cast<uint64_t>(*value);
  return result;
}

} // namespace

expected<event_batch> parse_events(std::string_view payload,
                                   const content_rules& rules) {
  auto malformed = [](std::string_view what) {
    return error{errc::malformed, std::string{"event: "}.append(what)};
  };
  auto message = remote::open_message(payload, rules);
  if (!message)
    return malformed(message.error().what);
  event_batch result;
  if (auto list = message->body.if_array()) {
    for (auto& x : *list)
      if (auto one = read_event(std::move(x)))
        result.events.push_back(std::move(*one));
      else
        ++result.malformed;
    return result;
  }
  auto one = read_event(std::move(message->body));
  if (!one)
    return malformed("it is no object with a type");
  result.events.push_back(std::move(*one));
  return result;
}

int utc_offset() {
  auto t = std::time(nullptr);
  std::tm local{};
  localtime_r(&t, &local);
  auto west = -local.tm_gmtoff;
  return static_cast<int>(west >= 0 ? west / 3600 : -((-west + 3599) / 3600));
}

json::object software_info(std::string_view version) {
  return {{"sw_ident", "umbel"}, {"sw_ver", version}, {"sw_sys", "Linux"}};
}

} // namespace umbel
