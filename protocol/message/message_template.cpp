#include "protocol/message/message_template.hpp"

#include "protocol/message/envelope.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace umbel {

namespace {

constexpr std::string_view no_arguments = R"x("argsrepr": "()")x";
constexpr std::string_view body_begin = "[[], ";

error no_template(const char* why) {
  return {errc::unsupported, std::string{"no message to be filled in: "} + why};
}

std::string text_of(const json::object& in, std::string_view key) {
  auto* x = in.if_contains(key);
  return x && x->is_string() ? std::string{x->get_string()} : std::string{};
}

} // namespace

expected<message_template> message_template::make(std::string_view payload) {
  auto parsed = parse_envelope(payload);
  if (!parsed)
    return parsed.error();
  auto id = text_of(parsed->headers, "id");
  auto tag = text_of(parsed->properties, "delivery_tag");
  if (id.empty() || tag.empty())
    return no_template("it has no id");
  if (parsed->headers.contains("compression")
      || !parsed->body.starts_with(body_begin))
    return no_template("its body is no JSON without arguments");
  auto body = encode_base64(parsed->body);
  std::vector<std::tuple<size_t, size_t, gap>> gaps; // begin, length, what
  auto find_all = [&](std::string_view text, gap what) {
    for (auto i = payload.find(text); i != payload.npos;
         i = payload.find(text, i + text.size()))
      gaps.emplace_back(i, text.size(), what);
  };
  find_all(body, gap::body);
  if (gaps.empty())
    return no_template("its body is not in base64");
  find_all(id, gap::id);
  find_all(tag, gap::tag);
  auto count = gaps.size();
  find_all(no_arguments, gap::args);
  if (gaps.size() != count + 1)
    return no_template("it has arguments");
  std::ranges::sort(gaps);
  message_template to;
  size_t at = 0;
  for (auto& [begin, length, what] : gaps) {
    if (begin < at)
      return no_template("its id is a part of something else");
    to.pieces_.push_back({std::string{payload.substr(at, begin - at)}, what});
    at = begin + length;
  }
  to.pieces_.push_back({std::string{payload.substr(at)}, gap::end});
  to.body_ = parsed->body.substr(body_begin.size() - 2);
  return to;
}

std::string message_template::fill(std::string_view id,
                                   const json::array& args) const {
  std::string body = "[";
  append_json(body, args);
  body += body_;
  std::string to;
  for (auto& [text, after] : pieces_) {
    to += text;
    switch (after) {
      case gap::end:
        break;
      case gap::id:
        to += id;
        break;
      case gap::tag:
        to += make_uuid();
        break;
      case gap::args:
        to += R"("argsrepr": )";
        append_json(to, std::string_view{python_repr_tuple(args)});
        break;
      case gap::body:
        to += encode_base64(body);
        break;
    }
  }
  return to;
}

} // namespace umbel
