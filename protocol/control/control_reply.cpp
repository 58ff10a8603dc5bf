#include "protocol/control/control_reply.hpp"

#include "protocol/message/envelope.hpp"

namespace umbel {

std::string make_control_reply(const node_name& node, const json::value& answer,
                               const reply_address& to, uint64_t clock) {
  envelope x;
  json::object body;
  body[node.str()] = answer;
  append_json(x.body, body);
  x.content_type = "application/json";
  x.content_encoding = "utf-8";
  x.headers["ticket"] = to.ticket;
  x.headers["clock"] = clock;
  x.properties["delivery_mode"] = 1;
  x.properties["delivery_info"] = json::object{
    {"exchange", to.exchange}, {"routing_key", to.routing_key}};
  return to_text(x);
}

namespace remote {

json::value ok(std::string_view text) {
  return json::object{{"ok", text}};
}

json::value failed(std::string_view text) {
  return json::object{{"error", text}};
}

} // namespace remote

} // namespace umbel
