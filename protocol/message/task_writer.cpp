// Building task messages: what a client sends, and what a retry sends.
#include "protocol/message/delivery_history.hpp"
#include "protocol/message/task_message.hpp"

#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <limits>

namespace umbel {

namespace {

json::value text_or_null(const std::string& x) {
  return x.empty() ? json::value{} : json::value(json::string{x});
}

json::value time_or_null(const std::optional<timestamp>& t) {
  return t ? json::value(json::string{format_time(*t)}) : json::value{};
}

/// What Celery calls anyone who is not a worker.
std::string anonymous_origin() {
  char host[256] = {};
  if (gethostname(host, sizeof(host) - 1) != 0)
    host[0] = '\0';
  return fmt::format("gen{}@{}", getpid(), host);
}

/// All headers of protocol 2, in the order of Celery, with their defaults.
json::object default_headers() {
  return {
      {"lang", "py"},
      {"task", nullptr},
      {"id", nullptr},
      {"shadow", nullptr},
      {"eta", nullptr},
      {"expires", nullptr},
      {"group", nullptr},
      {"group_index", nullptr},
      {"retries", 0},
      {"timelimit", {nullptr, nullptr}},
      {"root_id", nullptr},
      {"parent_id", nullptr},
      {"argsrepr", nullptr},
      {"kwargsrepr", nullptr},
      {"origin", nullptr},
      {"ignore_result", false},
      {"replaced_task_nesting", 0},
      {"stamped_headers", nullptr},
      {"stamps", json::object{}},
  };
}

/// [args, kwargs, embed] with all four members of embed.
std::string make_body(const body_form& form, const json::array& args,
                      const json::object& kwargs, const json::object& embed) {
  json::object all{{"callbacks", nullptr},
                   {"errbacks", nullptr},
                   {"chain", nullptr},
                   {"chord", nullptr}};
  for (auto& [key, x] : embed)
    all[key] = x;
  if (form.serializer != serializer::json)
    return encode_body(form, json::array{args, kwargs, all});
  std::string out = "["; // what is most often sent, without a copy
  append_json(out, args);
  out += ", ";
  append_json(out, kwargs);
  out += ", ";
  append_json(out, all);
  out += "]";
  if (form.compression == compression::none)
    return out;
  return compress(form.compression, out);
}

/// How long the message may live, for brokers that know such a thing:
/// milliseconds as a string.
void set_expiration(json::object& properties,
                    const std::optional<timestamp>& expires) {
  if (!expires)
    return;
  auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(*expires - now());
  properties["expiration"] =
      fmt::format("{}", std::max<int64_t>(0, left.count()));
}

std::string write(const body_form& form, std::string body, json::object headers,
                  json::object properties, bool plain = false) {
  headers.erase("compression");
  if (form.compression != compression::none)
    headers["compression"] = mime_type_of(form.compression);
  return to_text({std::move(body), std::string{content_type_of(form.serializer)},
                  std::string{content_encoding_of(form.serializer)},
                  std::move(headers), std::move(properties), plain});
}

/// Where a retry goes: back to where the message came from.
json::object routing_of(const json::object& properties) {
  json::object out{{"exchange", ""}, {"routing_key", "celery"}};
  if (auto info = properties.if_contains("delivery_info");
      info != nullptr && info->is_object())
    for (auto key : {"exchange", "routing_key"})
      if (auto x = info->get_object().if_contains(key); x && x->is_string())
        out[key] = *x;
  return out;
}

} // namespace

std::string make_task_message(const task_call& call) {
  auto id = call.id.empty() ? make_uuid() : call.id;
  auto headers = default_headers();
  headers["task"] = call.task;
  headers["id"] = id;
  headers["eta"] = time_or_null(call.eta);
  headers["expires"] = time_or_null(call.expires);
  headers["retries"] = call.retries;
  headers["root_id"] = call.root_id.empty() ? id : call.root_id;
  headers["parent_id"] = text_or_null(call.parent_id);
  headers["argsrepr"] = python_repr_tuple(call.args);
  headers["kwargsrepr"] = python_repr(call.kwargs);
  headers["origin"] = call.origin.empty() ? anonymous_origin() : call.origin;
  for (auto& [key, x] : call.headers)
    headers[key] = x;
  json::object properties{
      {"correlation_id", id},
      {"reply_to", call.reply_to},
      {"delivery_mode", static_cast<int>(call.delivery_mode)},
      {"delivery_info",
       {{"exchange", call.exchange},
        {"routing_key", call.exchange.empty() ? call.queue : call.routing_key}}},
      {"priority", call.priority},
  };
  set_expiration(properties, call.expires);
  auto form = call.plain ? body_form{} : call.form;
  return write(form, make_body(form, call.args, call.kwargs, call.embed),
               std::move(headers), std::move(properties), call.plain);
}

std::string make_retry_message(const task_message& original,
                               std::optional<timestamp> eta) {
  auto& header = original.header;
  auto& id = header.id.str();
  auto headers = default_headers();
  for (auto& [key, x] : original.headers)
    headers[key] = x;
  // Said of the delivery that ends here, not of the task.
  headers.erase("redelivered");
  headers.erase(deliveries_header);
  headers.erase(rate_limit_mark);
  headers["task"] = header.task;
  headers["id"] = id;
  headers["eta"] = time_or_null(eta);
  headers["retries"] = header.retries == std::numeric_limits<int64_t>::max()
                           ? header.retries
                           : header.retries + 1;
  headers["root_id"] = header.root_id.empty() ? id : header.root_id;
  headers["parent_id"] = header.parent_id.empty() ? id : header.parent_id;
  if (!headers["argsrepr"].is_string())
    headers["argsrepr"] = python_repr_tuple(original.args);
  if (!headers["kwargsrepr"].is_string())
    headers["kwargsrepr"] = python_repr(original.kwargs);
  if (!headers["origin"].is_string())
    headers["origin"] = anonymous_origin();
  json::object properties;
  for (auto key : {"correlation_id", "delivery_mode"})
    if (auto x = original.properties.if_contains(key))
      properties[key] = *x;
  if (!properties["correlation_id"].is_string())
    properties["correlation_id"] = id;
  properties["reply_to"] = header.reply_to;
  properties["delivery_info"] = routing_of(original.properties);
  properties["priority"] = header.priority;
  set_expiration(properties, header.expires);
  return write(original.form,
               make_body(original.form, original.args, original.kwargs,
                         original.embed),
               std::move(headers), std::move(properties));
}

} // namespace umbel
