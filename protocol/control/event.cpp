#include "protocol/control/event.hpp"

#include "protocol/message/envelope.hpp"

#include <algorithm>
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
                               const node_name& node) {
  envelope x;
  x.body = std::move(body);
  x.content_type = "application/json";
  x.content_encoding = "utf-8";
  x.headers["hostname"] = node.str();
  x.properties["delivery_mode"] = 1;
  x.properties["delivery_info"] = json::object{{"exchange", event_exchange},
                                               {"routing_key", routing_key}};
  return to_text(x);
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
