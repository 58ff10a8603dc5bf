#include "protocol/message/content.hpp"
#include "protocol/message/msgpack.hpp"
#include "protocol/message/yaml.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace umbel {

namespace {

constexpr std::string_view names[] = {"json", "yaml", "msgpack"};
constexpr std::string_view types[] = {
    "application/json", "application/x-yaml", "application/x-msgpack"};
constexpr std::string_view encodings[] = {"utf-8", "utf-8", "binary"};

template <class T>
T at(const T (&table)[3], serializer x) noexcept {
  return table[static_cast<size_t>(x)];
}

error unsupported(std::string what) {
  return {errc::unsupported, std::move(what)};
}

} // namespace

std::string_view name_of(serializer x) noexcept {
  return at(names, x);
}

std::string_view content_type_of(serializer x) noexcept {
  return at(types, x);
}

std::string_view content_encoding_of(serializer x) noexcept {
  return at(encodings, x);
}

std::span<const std::string_view> serializer_names() {
  return names;
}

expected<serializer> parse_serializer(std::string_view name) {
  for (size_t i = 0; i < std::size(names); ++i)
    if (name == names[i] || name == types[i])
      return static_cast<serializer>(i);
  // Only whoever can be trusted with the whole machine may send pickles, and
  // only Python can read them.
  if (name == "pickle" || name == "application/x-python-serialize")
    return unsupported("pickle is refused: reading one runs any code that its "
                       "sender has put in, and only Python can do it; set "
                       "task_serializer and result_serializer of the sender to "
                       "json, msgpack or yaml");
  if (name == "auth")
    return unsupported("signed messages (auth) are not supported yet");
  if (name == "raw" || name == "application/data" || name == "text/plain")
    return unsupported(fmt::format("{} holds bytes or text as they are: no task "
                                   "and no result can be written so",
                                   name));
  return unsupported(fmt::format("{} is no serializer that is known; known are {}",
                                 python_repr(json::string{name}, 80),
                                 fmt::join(names, ", ")));
}

std::string serialize(serializer how, const json::value& x) {
  switch (how) {
    case serializer::json:
      return to_json(x);
    case serializer::yaml:
      return to_yaml(x);
    case serializer::msgpack:
      return to_msgpack(x);
  }
  return {};
}

expected<json::value> deserialize(serializer how, std::string_view bytes,
                                  size_t max) {
  switch (how) {
    case serializer::json: {
      auto x = parse_json(bytes);
      if (x)
        if (auto known = check_tags(*x); !known)
          return known.error();
      return x;
    }
    case serializer::yaml:
      return parse_yaml(bytes, max);
    case serializer::msgpack:
      return parse_msgpack(bytes);
  }
  return error{errc::unsupported, "no such serializer"};
}

bool content_rules::accepts(serializer x) const noexcept {
  return std::ranges::find(accepted, x) != accepted.end();
}

std::string encode_body(const body_form& form, const json::value& x) {
  auto bytes = serialize(form.serializer, x);
  if (form.compression == compression::none)
    return bytes;
  return compress(form.compression, bytes);
}

expected<json::value> decode_body(const body_form& form, std::string_view bytes,
                                  size_t max) {
  if (form.compression == compression::none)
    return deserialize(form.serializer, bytes, max);
  auto plain = decompress(form.compression, bytes, max);
  if (!plain)
    return plain.error();
  return deserialize(form.serializer, *plain, max);
}

} // namespace umbel
