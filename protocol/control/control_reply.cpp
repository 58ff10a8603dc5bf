#include "protocol/control/control_reply.hpp"

#include "protocol/control/open_message.hpp"
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

expected<control_reply> parse_control_reply(std::string_view payload,
                                            const content_rules& rules) {
  auto malformed = [](std::string_view what) {
    return error{errc::malformed,
                 std::string{"answer to a command: "}.append(what)};
  };
  auto message = remote::open_message(payload, rules);
  if (!message)
    return malformed(message.error().what);
  auto body = message->body.if_object();
  if (body == nullptr)
    return malformed("its body is no object");
  control_reply result;
  auto ticket = message->headers.if_contains("ticket");
  if (ticket == nullptr || !ticket->is_string())
    return malformed("it has no ticket");
  result.ticket = std::string_view{ticket->get_string()};
  result.clock = message->clock();
  for (auto& [node, answer] : *body)
    result.answers.emplace_back(node_name{std::string{node}}, answer);
  return result;
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
