#include "protocol/control/control_request.hpp"

#include "protocol/message/envelope.hpp"
#include "protocol/message/envelope_view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <regex>

#include <fnmatch.h>

namespace umbel {

namespace {

/// Longer than any that selects nodes by name. std::regex goes down a level for
/// each bracket: thousands of them would end the process.
constexpr size_t pattern_max = 256;

error malformed(std::string what) {
  return {errc::malformed, "control command: " + std::move(what)};
}

const json::value* find(const json::object& x, std::string_view key) {
  auto found = x.if_contains(key);
  return found != nullptr && !found->is_null() ? found : nullptr;
}

expected<std::string> read_text(const json::object& from,
                                std::string_view key) {
  auto x = find(from, key);
  if (x == nullptr)
    return std::string{};
  if (!x->is_string())
    return malformed(fmt::format("{} is no text", key));
  return std::string{std::string_view{x->get_string()}};
}

/// A list of texts, or one text.
expected<std::vector<std::string>> read_texts(const json::value& x,
                                              std::string_view key) {
  std::vector<std::string> result;
  if (x.is_string()) {
    result.emplace_back(std::string_view{x.get_string()});
    return result;
  }
  if (!x.is_array())
    return malformed(fmt::format("{} is neither text nor a list", key));
  for (auto& one : x.get_array()) {
    if (!one.is_string())
      return malformed(fmt::format("{} holds something that is no text", key));
    result.emplace_back(std::string_view{one.get_string()});
  }
  return result;
}

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

bool is_true(const json::value* x) {
  if (x == nullptr)
    return false;
  if (x->is_bool())
    return x->get_bool();
  return !x->is_number() || x->to_number<double>() != 0;
}

bool matches(const std::string& pattern, const std::string& text) {
  try {
    return std::regex_search(text, std::regex{pattern},
                             std::regex_constants::match_continuous);
  } catch (const std::regex_error&) {
    return false;
  }
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
  auto envelope = parse_envelope(payload);
  if (!envelope)
    return envelope.error();
  auto form = read_form(envelope->content_type, envelope->content_encoding,
                        envelope->headers, rules);
  if (!form)
    return malformed(form.error().what);
  auto body = decode_body(*form, envelope->body, rules.body_max);
  if (!body)
    return malformed(body.error().what);
  auto fields = body->if_object();
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
  if (auto x = find(*fields, "destination")) {
    auto names = read_texts(*x, "destination");
    if (!names)
      return names.error();
    result.destination = std::move(*names);
  }
  return result;
}

expected<revoke_request> parse_revoke_request(const control_request& x) {
  revoke_request result;
  if (auto ids = find(x.arguments, "task_id")) {
    auto texts = read_texts(*ids, "task_id");
    if (!texts)
      return texts.error();
    for (auto& text : *texts)
      result.ids.emplace_back(std::move(text));
  }
  if (result.ids.empty())
    return malformed(x.method + " names no task_id");
  if (x.method != "terminate" && !is_true(find(x.arguments, "terminate")))
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
