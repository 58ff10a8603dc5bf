// Settings that are a word which something else has to know.
#include "protocol/client/nearest.hpp"
#include "protocol/client/setting_value.hpp"

namespace umbel::detail {

namespace {

/// Reads a word that `parse` knows; `names` are for "did you mean".
template <class T>
expected<void> set_word(T& x, const json::value& value,
                        const setting_origin& origin,
                        expected<T> (*parse)(std::string_view),
                        std::span<const std::string_view> names) {
  if (!value.is_string() || value.get_string().empty())
    return wrong_value(origin, value, "text");
  std::string_view word = value.get_string();
  if (auto known = parse(word)) {
    x = *known;
    return {};
  } else {
    auto text = "setting '" + origin.name + "' " + origin.where + ": "
                + known.error().what;
    if (auto meant = nearest(word, names))
      text += "; did you mean '" + std::string{*meant} + "'?";
    return error{errc::invalid_setting, std::move(text)};
  }
}

} // namespace

expected<void> setting_value<serializer>::set(serializer& x,
                                              const json::value& value,
                                              const setting_origin& origin,
                                              bounds) {
  return set_word(x, value, origin, parse_serializer, serializer_names());
}

json::value setting_value<serializer>::get(serializer x) {
  return json::value(name_of(x));
}

expected<void> setting_value<delivery_mode>::set(delivery_mode& x,
                                                 const json::value& value,
                                                 const setting_origin& origin,
                                                 bounds) {
  auto known = parse_delivery_mode(value);
  if (!known)
    return wrong_value(origin, value, "transient (1) or persistent (2)");
  x = *known;
  return {};
}

json::value setting_value<delivery_mode>::get(delivery_mode x) {
  return static_cast<int>(x);
}

expected<void> setting_value<compression>::set(compression& x,
                                               const json::value& value,
                                               const setting_origin& origin,
                                               bounds) {
  return set_word(x, value, origin, parse_compression, compression_names());
}

json::value setting_value<compression>::get(compression x) {
  return json::value(name_of(x));
}

} // namespace umbel::detail
