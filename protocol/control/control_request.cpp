#include "protocol/control/control_request.hpp"

#include "protocol/control/arguments.hpp"
#include "protocol/control/open_message.hpp"
#include "protocol/message/envelope.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <regex>
#include <tuple>

#include <fnmatch.h>

namespace umbel {

using namespace remote;

namespace {

/// Longer than any that selects nodes by name. std::regex goes down a level for
/// each bracket: thousands of them would end the process.
constexpr size_t pattern_max = 256;

expected<int> read_signal(const json::value& x) {
  if (auto number = x.if_int64()) {
    if (*number >= 1 && *number <= SIGRTMAX)
      return static_cast<int>(*number);
  } else if (x.is_string()) {
    std::string_view name{x.get_string()};
    if (name.starts_with("SIG"))
      name.remove_prefix(3);
    for (int number = 1; number < NSIG; ++number)
      if (auto known = sigabbrev_np(number); known != nullptr && name == known)
        return number;
  }
  return malformed(fmt::format("there is no signal {}", python_repr(x, 40)));
}

bool matches(const std::string& pattern, const std::string& text) {
  try {
    return std::regex_search(text, std::regex{pattern},
                             std::regex_constants::match_continuous);
  } catch (const std::regex_error&) {
    return false;
  }
}

expected<void> read_reply_address(const json::object& body,
                                  control_request& to) {
  auto given = find(body, "reply_to");
  if (given == nullptr)
    return {};
  if (!given->is_object())
    return malformed("reply_to is no object");
  reply_address result;
  for (auto [from, key, text] :
       {std::tuple{&given->get_object(), "exchange", &result.exchange},
        std::tuple{&given->get_object(), "routing_key", &result.routing_key},
        std::tuple{&body, "ticket", &result.ticket}}) {
    auto read = read_text(*from, key);
    if (!read)
      return read.error();
    *text = std::move(*read);
  }
  to.reply_to = std::move(result);
  return {};
}

} // namespace

bool control_request::is_for(const node_name& node) const {
  if (destination)
    return std::ranges::find(*destination, node.str()) != destination->end();
  if (pattern.empty() || matcher.empty())
    return true;
  if (matcher == "glob")
    return fnmatch(pattern.c_str(), node.str().c_str(), 0) == 0;
  return matcher == "pcre" && matches(pattern, node.str());
}

expected<control_request> parse_control_request(std::string_view payload,
                                                const content_rules& rules) {
  auto message = open_message(payload, rules);
  if (!message)
    return malformed(message.error().what);
  auto fields = message->body.if_object();
  if (fields == nullptr)
    return malformed("its body is no object");
  control_request result;
  for (auto [key, to] : {std::pair{"method", &result.method},
                         std::pair{"pattern", &result.pattern},
                         std::pair{"matcher", &result.matcher}}) {
    auto text = read_text(*fields, key);
    if (!text)
      return text.error();
    *to = std::move(*text);
  }
  if (result.method.empty())
    return malformed("it has no method");
  if (result.pattern.size() > pattern_max)
    return malformed(fmt::format("its pattern has more than {} characters",
                                 pattern_max));
  if (auto x = find(*fields, "arguments")) {
    if (!x->is_object())
      return malformed("arguments is no object");
    result.arguments = x->get_object();
  }
  if (find(*fields, "destination") != nullptr) {
    auto names = read_texts(*fields, "destination");
    if (!names)
      return names.error();
    result.destination = std::move(*names);
  }
  if (auto read = read_reply_address(*fields, result); !read)
    return read.error();
  result.clock = message->clock();
  return result;
}

std::string make_control_request(const control_request& x,
                                 const body_form& form,
                                 std::optional<timestamp> expires,
                                 const std::string& exchange) {
  auto text_or_null = [](const std::string& text) {
    return text.empty() ? json::value{} : json::value(text);
  };
  json::object body{{"method", x.method},
                    {"arguments", x.arguments},
                    {"destination", nullptr},
                    {"pattern", text_or_null(x.pattern)},
                    {"matcher", text_or_null(x.matcher)}};
  if (x.destination)
    body["destination"] = json::value_from(*x.destination);
  if (x.reply_to) {
    body["ticket"] = x.reply_to->ticket;
    body["reply_to"] = {{"exchange", x.reply_to->exchange},
                        {"routing_key", x.reply_to->routing_key}};
  }
  envelope result;
  result.body = encode_body(form, body);
  result.content_type = content_type_of(form.serializer);
  result.content_encoding = content_encoding_of(form.serializer);
  if (form.compression != compression::none)
    result.headers["compression"] = mime_type_of(form.compression);
  result.headers["clock"] = x.clock;
  result.headers["expires"] = 0;
  if (expires)
    result.headers["expires"]
      = std::chrono::duration<double>(expires->time_since_epoch()).count();
  result.properties["delivery_mode"] = 2;
  result.properties["delivery_info"]
    = json::object{{"exchange", exchange}, {"routing_key", ""}};
  return to_text(result);
}

expected<revoke_request> parse_revoke_request(const control_request& x) {
  revoke_request result;
  auto ids = read_texts(x.arguments, "task_id");
  if (!ids)
    return ids.error();
  for (auto& id : *ids)
    result.ids.emplace_back(std::move(id));
  if (result.ids.empty())
    return malformed(x.method + " names no task_id");
  if (x.method != "terminate" && !is_true(x.arguments, "terminate"))
    return result;
  result.signal = SIGTERM;
  if (auto given = find(x.arguments, "signal")) {
    auto signal = read_signal(*given);
    if (!signal)
      return signal.error();
    result.signal = *signal;
  }
  return result;
}

} // namespace umbel
