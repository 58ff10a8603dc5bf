// Decoding a whole task message.
#include "protocol/message/task_fields.hpp"
#include "protocol/message/malformed.hpp"

#include <fmt/format.h>

namespace umbel {

namespace {

error wrong_kind(std::string_view what, const json::value& x,
                 std::string_view expected_kind) {
  return malformed(fmt::format("{} is {} ({}), not {}", what, kind_name(x),
                               python_repr(x, 40), expected_kind));
}

/// callbacks, errbacks and chain are lists of signatures, chord is one; all
/// may be null.
expected<void> check_embed(const json::object& embed) {
  for (auto name : {"callbacks", "errbacks", "chain"}) {
    auto x = embed.if_contains(name);
    if (x == nullptr || x->is_null())
      continue;
    if (!x->is_array())
      return wrong_kind(fmt::format("body: {}", name), *x, "a list or null");
    for (size_t i = 0; i < x->get_array().size(); ++i)
      if (auto& y = x->get_array()[i]; !y.is_object())
        return wrong_kind(fmt::format("body: {}[{}]", name, i), y,
                          "a signature");
  }
  auto x = embed.if_contains("chord");
  if (x != nullptr && !x->is_null() && !x->is_object())
    return wrong_kind("body: chord", *x, "a signature or null");
  return {};
}

expected<void> take_call(task_message& out, json::value& args,
                         json::value& kwargs) {
  if (!args.is_array())
    return wrong_kind("body: args", args, "a list");
  if (!kwargs.is_object())
    return wrong_kind("body: kwargs", kwargs, "a mapping");
  out.args = std::move(args.get_array());
  out.kwargs = std::move(kwargs.get_object());
  return {};
}

/// Protocol 2: [args, kwargs, embed].
expected<void> take_list(task_message& out, json::array& body) {
  if (body.size() != 3)
    return malformed(fmt::format("body: {} elements, not the 3 of "
                                 "[args, kwargs, embed]",
                                 body.size()));
  auto& embed = body[2];
  if (!embed.is_null() && !embed.is_object())
    return wrong_kind("body: embed", embed, "a mapping or null");
  if (auto ok = take_call(out, body[0], body[1]); !ok)
    return ok.error();
  if (embed.is_object())
    out.embed = std::move(embed.get_object());
  return {};
}

/// Protocol 1 and hybrid: a mapping.
expected<void> take_mapping(task_message& out, json::object& body) {
  json::value no_args(json::array_kind);
  json::value no_kwargs(json::object_kind);
  auto args = body.if_contains("args");
  auto kwargs = body.if_contains("kwargs");
  for (auto name : {"callbacks", "errbacks", "chain", "chord"}) {
    auto& x = out.embed[name];
    // There is no chain in protocol 1; Celery does not look for one.
    if (auto y = body.if_contains(name); y && name != std::string_view{"chain"})
      x = std::move(*y);
  }
  return take_call(out, args ? *args : no_args, kwargs ? *kwargs : no_kwargs);
}

} // namespace

expected<task_message> parse_task_message(std::string_view payload,
                                          const content_rules& rules) {
  auto env = parse_envelope(payload);
  if (!env)
    return env.error();
  auto form =
      read_form(env->content_type, env->content_encoding, env->headers, rules);
  if (!form)
    return form.error();
  auto body = decode_body(*form, env->body, rules.body_max);
  if (!body)
    return malformed("body: " + body.error().what);
  task_message out;
  out.form = *form;
  out.properties = std::move(env->properties);
  out.protocol = env->headers.contains("task") ? 2 : 1;
  bool utc = true;
  expected<void> taken;
  if (body->is_object()) {
    auto fields = translate_fields(body->get_object(), env->headers);
    if (!fields)
      return fields.error();
    out.headers = std::move(fields->headers);
    utc = fields->utc;
    taken = take_mapping(out, body->get_object());
  } else if (out.protocol == 1) {
    return malformed("not a task message: no header 'task', and the body is "
                     "not a mapping of protocol 1");
  } else if (body->is_array()) {
    out.headers = std::move(env->headers);
    taken = take_list(out, body->get_array());
  } else {
    return wrong_kind("body", *body, "a list [args, kwargs, embed]");
  }
  auto header = read_fields(out.headers, out.properties);
  if (!header)
    return header.error();
  if (!taken)
    return taken.error();
  if (auto ok = check_embed(out.embed); !ok)
    return ok.error();
  out.header = std::move(*header);
  out.header.utc = utc;
  return out;
}

} // namespace umbel
