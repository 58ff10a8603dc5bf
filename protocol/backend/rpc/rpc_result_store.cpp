#include "protocol/backend/rpc/rpc_result_store.hpp"

#include "protocol/message/envelope.hpp"

namespace umbel {

bool is_rpc(std::string_view url) {
  return url == "rpc" || url.starts_with("rpc:");
}

outgoing_message make_reply(const result_record& x, serializer how) {
  envelope message;
  message.body = x.document;
  message.content_type = content_type_of(how);
  message.content_encoding = content_encoding_of(how);
  message.properties = {
      {"correlation_id", x.id.str()},
      {"delivery_mode", 1},
      {"delivery_info", {{"exchange", ""}, {"routing_key", x.reply_to}}},
  };
  return {queue_name{x.reply_to}, 0, to_text(message)};
}

rpc_result_store::rpc_result_store(broker& where, serializer how)
    : where_(where), how_(how) {
}

std::string rpc_result_store::location() const {
  return "rpc://";
}

expected<void> rpc_result_store::store(std::span<const result_record> batch) {
  std::vector<outgoing_message> messages;
  for (auto& x : batch)
    if (!x.reply_to.empty())
      messages.push_back(make_reply(x, how_));
  if (messages.empty())
    return {};
  return where_.send_replies(messages);
}

expected<std::optional<std::string>> rpc_result_store::fetch(const task_id&) {
  return std::optional<std::string>{};
}

expected<void> rpc_result_store::forget(const task_id&) {
  return {};
}

} // namespace umbel
