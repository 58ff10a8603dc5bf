#include "protocol/message/envelope.hpp"
#include "protocol/message/envelope_view.hpp"
#include "protocol/message/malformed.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace umbel {

namespace {

/// A member that must be an object if it is there at all.
expected<const json::object*> member_object(const json::object& in,
                                            std::string_view key) {
  static const json::object none;
  auto x = in.if_contains(key);
  if (x == nullptr || x->is_null())
    return &none;
  if (auto obj = x->if_object())
    return obj;
  return malformed(
      fmt::format("envelope: {} is {}, not an object", key, kind_name(*x)));
}

/// A member that must be a string if it is there at all.
expected<std::string_view> member_text(const json::object& in,
                                       std::string_view key) {
  auto x = in.if_contains(key);
  if (x == nullptr || x->is_null())
    return std::string_view{};
  if (auto str = x->if_string())
    return std::string_view{*str};
  return malformed(
      fmt::format("envelope: {} is {}, not a string", key, kind_name(*x)));
}

/// `obj[key]` as an object, made one if it is missing or anything else.
json::object& sub_object(json::object& obj, std::string_view key) {
  auto& x = obj[key];
  return x.is_object() ? x.get_object() : x.emplace_object();
}

void set_default(json::object& obj, std::string_view key, json::value x) {
  if (auto old = obj.if_contains(key); old == nullptr || old->is_null())
    obj[key] = std::move(x);
}

} // namespace

const char* kind_name(const json::value& x) {
  switch (x.kind()) {
    case json::kind::null:
      return "null";
    case json::kind::bool_:
      return "a boolean";
    case json::kind::string:
      return "a string";
    case json::kind::array:
      return "a list";
    case json::kind::object:
      return "an object";
    default:
      return "a number";
  }
}

expected<envelope_view> view_envelope(const json::value& x) {
  auto obj = x.if_object();
  if (obj == nullptr)
    return malformed(
        fmt::format("envelope: {} instead of an object", kind_name(x)));
  auto body = obj->if_contains("body");
  if (body == nullptr || !body->is_string())
    return malformed(
        fmt::format("envelope: body is {}, not a string",
                    body == nullptr ? "missing" : kind_name(*body)));
  auto headers = member_object(*obj, "headers");
  if (!headers)
    return headers.error();
  auto properties = member_object(*obj, "properties");
  if (!properties)
    return properties.error();
  auto type = member_text(*obj, "content-type");
  if (!type)
    return type.error();
  auto encoding = member_text(*obj, "content-encoding");
  if (!encoding)
    return encoding.error();
  bool base64 = false;
  if (auto e = (*properties)->if_contains("body_encoding");
      e != nullptr && !e->is_null()) {
    auto name = e->if_string();
    if (name == nullptr || (*name != "base64" && *name != "utf-8"))
      return malformed(fmt::format("envelope: body_encoding {} is neither "
                                   "base64 nor utf-8",
                                   python_repr(*e, 40)));
    base64 = *name == "base64";
  }
  return envelope_view{
      *headers, *properties, std::string_view{body->get_string()},
      base64,   *type,       *encoding};
}

expected<std::string> decode_body(const envelope_view& x) {
  if (!x.base64)
    return std::string{x.body};
  auto body = decode_base64(x.body);
  if (!body)
    return malformed("body: " + body.error().what);
  return body;
}

expected<body_form> read_form(std::string_view content_type,
                              std::string_view content_encoding,
                              const json::object& headers,
                              const content_rules& rules) {
  auto quote = [](std::string_view x) {
    return python_repr(json::string{x}, 80);
  };
  auto accepted = [&] {
    std::string to;
    for (auto x : rules.accepted)
      to.append(to.empty() ? "" : ", ").append(content_type_of(x));
    return to;
  };
  if (content_type.empty())
    return malformed(
        fmt::format("no content type: only {} is accepted", accepted()));
  body_form to;
  if (content_type != "application/json") {
    auto known = parse_serializer(content_type);
    if (!known)
      return malformed(fmt::format("content type {}: {}", quote(content_type),
                                   known.error().what));
    to.serializer = *known;
  }
  if (!rules.accepts(to.serializer))
    return malformed(
        fmt::format("content type {} is not accepted, only {} (accept_content)",
                    quote(content_type), accepted()));
  constexpr std::string_view encodings[] = {"",     "utf-8",    "UTF-8",
                                            "utf8", "us-ascii", "ascii",
                                            "binary"};
  if (std::ranges::find(encodings, content_encoding) == std::end(encodings))
    return malformed(
        fmt::format("content encoding {} is not accepted, only utf-8",
                    quote(content_encoding)));
  auto x = headers.if_contains("compression");
  if (x == nullptr || x->is_null())
    return to;
  if (!x->is_string())
    return malformed(fmt::format("header compression is {} ({}), not a string",
                                 kind_name(*x), python_repr(*x, 40)));
  auto how = parse_compression(x->get_string());
  if (!how)
    return malformed(how.error().what);
  to.compression = *how;
  return to;
}

expected<envelope> parse_envelope(std::string_view text) {
  auto doc = parse_json(text);
  if (!doc)
    return malformed("envelope: " + doc.error().what);
  auto view = view_envelope(*doc);
  if (!view)
    return view.error();
  auto body = decode_body(*view);
  if (!body)
    return body.error();
  envelope out;
  out.body = std::move(*body);
  out.content_type = view->content_type;
  out.content_encoding = view->content_encoding;
  auto& members = doc->get_object();
  if (auto x = members.if_contains("headers"); x && x->is_object())
    out.headers = std::move(x->get_object());
  if (auto x = members.if_contains("properties"); x && x->is_object())
    out.properties = std::move(x->get_object());
  return out;
}

std::string to_text(const envelope& x) {
  auto properties = x.properties;
  set_default(properties, "delivery_mode", 2);
  auto& info = sub_object(properties, "delivery_info");
  set_default(info, "exchange", "");
  set_default(info, "routing_key", "celery");
  set_default(properties, "priority", 0);
  if (x.plain)
    properties.erase("body_encoding");
  else
    properties["body_encoding"] = "base64";
  set_default(properties, "delivery_tag", json::string{make_uuid()});
  std::string out = R"({"body": )";
  if (x.plain)
    append_json(out, std::string_view{x.body});
  else
    out += '"' + encode_base64(x.body) + '"';
  if (!x.content_encoding.empty()) {
    out += R"(, "content-encoding": )";
    append_json(out, std::string_view{x.content_encoding});
  }
  if (!x.content_type.empty()) {
    out += R"(, "content-type": )";
    append_json(out, std::string_view{x.content_type});
  }
  out += R"(, "headers": )";
  append_json(out, x.headers);
  out += R"(, "properties": )";
  append_json(out, properties);
  return out += '}';
}

int priority_of(std::string_view text) {
  auto value = parse_json(text);
  if (!value || !value->is_object())
    return 0;
  auto* properties = value->get_object().if_contains("properties");
  if (!properties || !properties->is_object())
    return 0;
  auto* priority = properties->get_object().if_contains("priority");
  if (!priority)
    return 0;
  boost::system::error_code failed;
  auto number = priority->to_number<int64_t>(failed);
  return failed ? 0 : static_cast<int>(std::clamp<int64_t>(number, 0, 9));
}

expected<std::string> mark_rate_limited(std::string_view text) {
  auto doc = parse_json(text);
  if (!doc)
    return malformed("envelope: " + doc.error().what);
  if (auto view = view_envelope(*doc); !view)
    return view.error();
  sub_object(doc->get_object(), "headers")[rate_limit_mark] = true;
  return to_json(*doc);
}

expected<std::string> mark_redelivered(std::string_view text) {
  auto doc = parse_json(text);
  if (!doc)
    return malformed("envelope: " + doc.error().what);
  if (auto view = view_envelope(*doc); !view)
    return view.error();
  auto& members = doc->get_object();
  sub_object(members, "headers")["redelivered"] = true;
  auto& properties = sub_object(members, "properties");
  sub_object(properties, "delivery_info")["redelivered"] = true;
  return to_json(*doc);
}

} // namespace umbel
