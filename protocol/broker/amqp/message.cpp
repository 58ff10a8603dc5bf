#include "protocol/broker/amqp/message.hpp"

#include "protocol/broker/amqp/delay.hpp"

#include <boost/container_hash/hash.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <iterator>

namespace umbel::amqp {

namespace {

/// Headers that RabbitMQ writes, and that mean something to it when they come
/// in again.
constexpr std::array<std::string_view, 9> broker_headers{
    "x-death",
    "x-delivery-count",
    "x-first-death-exchange",
    "x-first-death-queue",
    "x-first-death-reason",
    "x-last-death-exchange",
    "x-last-death-queue",
    "x-last-death-reason",
    "CC"};

void append_member(std::string& out, std::string_view name,
                   std::string_view text) {
  out += ", \"";
  out += name;
  out += "\": ";
  umbel::append_json(out, text);
}

std::string_view text_in(const amqp_table_t& headers, std::string_view name) {
  for (int i = 0; i < headers.num_entries; ++i) {
    auto& entry = headers.entries[i];
    if (view(entry.key) == name && entry.value.kind == AMQP_FIELD_KIND_UTF8)
      return view(entry.value.value.bytes);
  }
  return {};
}

} // namespace

std::string to_envelope(const amqp_envelope_t& x, std::string_view tag) {
  auto& p = x.message.properties;
  auto has = [&](amqp_flags_t flag) { return (p._flags & flag) != 0; };
  std::string out;
  out.reserve(512 + x.message.body.len * 4 / 3
              + (has(AMQP_BASIC_HEADERS_FLAG) ? 1'024 : 0));
  out += R"({"body": ")";
  out += encode_base64(view(x.message.body));
  out += '"';
  if (has(AMQP_BASIC_CONTENT_ENCODING_FLAG))
    append_member(out, "content-encoding", view(p.content_encoding));
  if (has(AMQP_BASIC_CONTENT_TYPE_FLAG))
    append_member(out, "content-type", view(p.content_type));
  out += R"(, "headers": )";
  auto filled = open_object(out, has(AMQP_BASIC_HEADERS_FLAG)
                                   ? p.headers
                                   : amqp_table_t{0, nullptr});
  if (x.redelivered)
    out += filled ? R"(, "redelivered": true)" : R"("redelivered": true)";
  auto [exchange, key] = undelayed(view(x.exchange), view(x.routing_key));
  out += R"(}, "properties": {"body_encoding": "base64")";
  append_member(out, "delivery_tag", tag);
  out += R"(, "delivery_info": {"exchange": )";
  umbel::append_json(out, exchange);
  append_member(out, "routing_key", key);
  if (x.redelivered)
    out += R"(, "redelivered": true)";
  out += '}';
  auto number = [&](std::string_view name, uint64_t value) {
    fmt::format_to(std::back_inserter(out), ", \"{}\": {}", name, value);
  };
  if (has(AMQP_BASIC_DELIVERY_MODE_FLAG))
    number("delivery_mode", p.delivery_mode);
  number("priority", has(AMQP_BASIC_PRIORITY_FLAG) ? p.priority : 0u);
  if (has(AMQP_BASIC_TIMESTAMP_FLAG))
    number("timestamp", p.timestamp);
  auto text = [&](std::string_view name, amqp_flags_t flag,
                  const amqp_bytes_t& value) {
    if (has(flag))
      append_member(out, name, view(value));
  };
  text("correlation_id", AMQP_BASIC_CORRELATION_ID_FLAG, p.correlation_id);
  text("reply_to", AMQP_BASIC_REPLY_TO_FLAG, p.reply_to);
  text("expiration", AMQP_BASIC_EXPIRATION_FLAG, p.expiration);
  text("message_id", AMQP_BASIC_MESSAGE_ID_FLAG, p.message_id);
  text("type", AMQP_BASIC_TYPE_FLAG, p.type);
  text("app_id", AMQP_BASIC_APP_ID_FLAG, p.app_id);
  return out += "}}";
}

int64_t number_in(const amqp_table_t& headers, std::string_view name) {
  for (int i = 0; i < headers.num_entries; ++i) {
    auto& entry = headers.entries[i];
    if (view(entry.key) != name)
      continue;
    if (entry.value.kind == AMQP_FIELD_KIND_I32)
      return entry.value.value.i32;
    if (entry.value.kind == AMQP_FIELD_KIND_I64
        || entry.value.kind == AMQP_FIELD_KIND_U64)
      return entry.value.value.i64;
  }
  return 0;
}

uint64_t fingerprint(const amqp_message_t& x) {
  auto& p = x.properties;
  if ((p._flags & AMQP_BASIC_HEADERS_FLAG) == 0)
    return 0;
  auto id = text_in(p.headers, "id");
  if (id.empty())
    return 0;
  auto result = static_cast<size_t>(number_in(p.headers, "retries"));
  for (auto text : {id, text_in(p.headers, "task"), view(x.body)})
    boost::hash_combine(result, std::hash<std::string_view>{}(text));
  return std::max<uint64_t>(result, 1);
}

void outgoing::set_text(std::string_view name, amqp_flags_t flag,
                        amqp_bytes_t& to) {
  auto x = source_.properties.if_contains(name);
  // A short string of AMQP's.
  if (!x || !x->is_string() || x->get_string().size() > 255)
    return;
  to = bytes(std::string_view{x->get_string()});
  properties_._flags |= flag;
}

void outgoing::read(std::string_view text) {
  memory_.clear();
  properties_ = {};
  auto parsed = parse_envelope(text);
  if (!parsed) {
    source_ = {};
    source_.body = text;
    return;
  }
  source_ = std::move(*parsed);
  auto& p = properties_;
  auto text_of = [&](const std::string& value, amqp_flags_t flag,
                     amqp_bytes_t& to) {
    if (value.empty() || value.size() > 255)
      return;
    to = bytes(value);
    p._flags |= flag;
  };
  text_of(source_.content_type, AMQP_BASIC_CONTENT_TYPE_FLAG, p.content_type);
  text_of(source_.content_encoding, AMQP_BASIC_CONTENT_ENCODING_FLAG,
          p.content_encoding);
  for (auto& name : broker_headers)
    source_.headers.erase(name);
  p.headers = to_table(source_.headers, memory_);
  p._flags |= AMQP_BASIC_HEADERS_FLAG;
  auto number_of = [&](std::string_view name) -> int64_t {
    auto x = source_.properties.if_contains(name);
    return x && x->is_int64() ? x->get_int64() : -1;
  };
  // Persistent unless the sender says otherwise, as Celery's default is.
  p.delivery_mode = number_of("delivery_mode") == 1 ? 1 : 2;
  p._flags |= AMQP_BASIC_DELIVERY_MODE_FLAG;
  set_priority(
    static_cast<int>(std::clamp<int64_t>(number_of("priority"), 0, 255)));
  if (auto time = number_of("timestamp"); time >= 0) {
    p.timestamp = static_cast<uint64_t>(time);
    p._flags |= AMQP_BASIC_TIMESTAMP_FLAG;
  }
  set_text("correlation_id", AMQP_BASIC_CORRELATION_ID_FLAG, p.correlation_id);
  set_text("reply_to", AMQP_BASIC_REPLY_TO_FLAG, p.reply_to);
  set_text("expiration", AMQP_BASIC_EXPIRATION_FLAG, p.expiration);
  set_text("message_id", AMQP_BASIC_MESSAGE_ID_FLAG, p.message_id);
  set_text("type", AMQP_BASIC_TYPE_FLAG, p.type);
  set_text("app_id", AMQP_BASIC_APP_ID_FLAG, p.app_id);
}

void outgoing::set_header(std::string_view name, std::string_view value) {
  source_.headers[name] = json::string{value};
  properties_.headers = to_table(source_.headers, memory_);
  properties_._flags |= AMQP_BASIC_HEADERS_FLAG;
}

void outgoing::set_priority(int x) noexcept {
  properties_.priority = static_cast<uint8_t>(std::clamp(x, 0, 255));
  properties_._flags |= AMQP_BASIC_PRIORITY_FLAG;
}

} // namespace umbel::amqp
