// The codec is nlohmann's; Boost.JSON has none.
#include "protocol/message/msgpack.hpp"

#include "protocol/message/tags.hpp"
#include "protocol/message/time.hpp"
#include "protocol/message/value_builder.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cstdint>

namespace umbel {

namespace {

using codec = nlohmann::ordered_json; // keeps the order of keys

/// A time of MessagePack: seconds in 32 bits; nanoseconds in 30 bits and seconds
/// in 34; or 32 bits and 64.
expected<json::value> read_time(const std::vector<uint8_t>& bytes) {
  auto number = [&](size_t at, size_t size) {
    uint64_t x = 0;
    for (size_t i = at; i < at + size; ++i)
      x = x << 8 | bytes[i];
    return x;
  };
  int64_t seconds = 0;
  uint64_t nanoseconds = 0;
  if (bytes.size() == 4) {
    seconds = static_cast<int64_t>(number(0, 4));
  } else if (bytes.size() == 8) {
    seconds = static_cast<int64_t>(number(0, 8) & 0x3'ffff'ffff);
    nanoseconds = number(0, 8) >> 34;
  } else if (bytes.size() == 12) {
    nanoseconds = number(0, 4);
    seconds = static_cast<int64_t>(number(4, 8));
  } else {
    return error{errc::malformed, "a time of the wrong length"};
  }
  // The years that Python knows: 1 to 9999.
  if (seconds < -62'135'596'800 || seconds > 253'402'300'799)
    return error{errc::malformed, "a time beyond the year 9999 or before 1"};
  timestamp t{std::chrono::seconds{seconds}
              + std::chrono::microseconds{nanoseconds / 1000}};
  return make_tagged("datetime", format_time(t));
}

/// nlohmann calls these for what it reads; false ends it.
class reader {
public:
  bool null() {
    return add(nullptr);
  }

  bool boolean(bool x) {
    return add(x);
  }

  bool number_integer(int64_t x) {
    return add(x);
  }

  bool number_unsigned(uint64_t x) {
    // As parse_json has it: unsigned only where it has to be.
    return x <= INT64_MAX ? add(static_cast<int64_t>(x)) : add(x);
  }

  bool number_float(double x, const std::string&) {
    return add(x);
  }

  bool string(std::string& x) {
    if (!is_valid_utf8(x))
      return fail("a text that is no UTF-8");
    return add(json::string{x});
  }

  bool binary(codec::binary_t& x) {
    if (!x.has_subtype())
      return add(tag_bytes({reinterpret_cast<const char*>(x.data()), x.size()}));
    auto type = static_cast<int8_t>(x.subtype());
    if (type != -1)
      return fail(fmt::format("an extension of type {}, which Celery does not "
                              "have",
                              type));
    auto t = read_time(x);
    return t ? add(std::move(*t)) : fail(t.error().what);
  }

  bool start_object(size_t) {
    return begin(json::object{});
  }

  bool key(std::string& x) {
    if (!is_valid_utf8(x))
      return fail("a key that is no UTF-8");
    values_.key(x);
    return true;
  }

  bool end_object() {
    values_.end();
    return true;
  }

  bool start_array(size_t) {
    return begin(json::array{});
  }

  bool end_array() {
    values_.end();
    return true;
  }

  bool parse_error(size_t position, const std::string& token,
                   const nlohmann::detail::exception& x) {
    if (std::string_view{x.what()}.find("expected length specification")
        != std::string_view::npos)
      return fail(fmt::format("a key that is no text, at byte {}", position));
    (void)token;
    return fail(fmt::format("broken at byte {}", position));
  }

  expected<json::value> take() {
    if (!problem_.empty())
      return error{errc::malformed, "not valid MessagePack: " + problem_};
    return values_.take();
  }

private:
  bool add(json::value x) {
    values_.add(std::move(x));
    return true;
  }

  bool begin(json::value x) {
    return values_.begin(std::move(x)) || fail("nested too deeply");
  }

  bool fail(std::string why) {
    if (problem_.empty())
      problem_ = std::move(why);
    return false;
  }

  value_builder values_;
  std::string problem_;
};

codec convert(const json::value& x) {
  switch (x.kind()) {
    case json::kind::null:
      return nullptr;
    case json::kind::bool_:
      return x.get_bool();
    case json::kind::int64:
      return x.get_int64();
    case json::kind::uint64:
      return x.get_uint64();
    case json::kind::double_:
      return x.get_double();
    case json::kind::string:
      return to_valid_utf8(x.get_string());
    case json::kind::array: {
      codec to = codec::array();
      for (auto& y : x.get_array())
        to.push_back(convert(y));
      return to;
    }
    case json::kind::object:
      break;
  }
  if (auto tag = look_at_tag(x.get_object())) {
    if (auto bytes = bytes_of(*tag))
      return codec::binary({bytes->begin(), bytes->end()});
    return text_of(*tag);
  }
  codec to = codec::object();
  // Not operator[], which looks for the key: a list of them is searched.
  auto& members = to.get_ref<codec::object_t&>();
  for (auto& [key, y] : x.get_object())
    members.push_back({to_valid_utf8(key), convert(y)});
  return to;
}

} // namespace

expected<json::value> parse_msgpack(std::string_view bytes) {
  reader in;
  codec::sax_parse(bytes.begin(), bytes.end(), &in,
                   codec::input_format_t::msgpack);
  return in.take();
}

std::string to_msgpack(const json::value& x) {
  std::string out;
  codec::to_msgpack(convert(x), out);
  return out;
}

} // namespace umbel
