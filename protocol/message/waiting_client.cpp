#include "protocol/message/waiting_client.hpp"

#include "protocol/message/envelope_view.hpp"

namespace umbel {

namespace {

const json::object* object_at(const json::object& in, std::string_view key) {
  auto x = in.if_contains(key);
  return x != nullptr ? x->if_object() : nullptr;
}

std::string text_at(const json::object* in, std::string_view key) {
  auto x = in != nullptr ? in->if_contains(key) : nullptr;
  auto text = x != nullptr ? x->if_string() : nullptr;
  return text != nullptr ? std::string{text->data(), text->size()}
                         : std::string{};
}

bool flag_at(const json::object* in, std::string_view key) {
  auto x = in != nullptr ? in->if_contains(key) : nullptr;
  return x != nullptr && x->is_bool() && x->get_bool();
}

std::string id_in_body(const json::value& envelope, const content_rules& rules) {
  auto view = view_envelope(envelope);
  if (!view)
    return {};
  auto form = read_form(view->content_type, view->content_encoding,
                        *view->headers, rules);
  auto text = decode_body(*view);
  if (!form || !text)
    return {};
  auto body = decode_body(*form, *text, rules.body_max);
  return body ? text_at(body->if_object(), "id") : std::string{};
}

} // namespace

waiting_client read_waiting_client(std::string_view payload,
                                   const content_rules& rules) {
  waiting_client result;
  auto envelope = parse_json(payload);
  if (!envelope || !envelope->is_object())
    return result;
  auto headers = object_at(envelope->get_object(), "headers");
  // As where it can be read: headers without a task are not the message's own.
  auto id = text_at(headers, "id");
  auto in_body = id.empty() || !headers->contains("task")
                   ? id_in_body(*envelope, rules)
                   : std::string{};
  result.id = task_id{in_body.empty() ? id : in_body};
  result.ignores_result = flag_at(headers, "ignore_result");
  result.reply_to
    = text_at(object_at(envelope->get_object(), "properties"), "reply_to");
  return result;
}

} // namespace umbel
