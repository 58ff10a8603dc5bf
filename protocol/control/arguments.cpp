#include "protocol/control/arguments.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

namespace umbel::remote {

namespace {

constexpr double seconds_max = 100.0 * 365 * 86'400;

} // namespace

error malformed(std::string_view what) {
  return {errc::malformed, fmt::format("control command: {}", what)};
}

const json::value* find(const json::object& from, std::string_view key) {
  auto found = from.if_contains(key);
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

expected<std::vector<std::string>> read_texts(const json::object& from,
                                              std::string_view key) {
  std::vector<std::string> result;
  auto x = find(from, key);
  if (x == nullptr)
    return result;
  if (x->is_string()) {
    result.emplace_back(std::string_view{x->get_string()});
    return result;
  }
  if (!x->is_array())
    return malformed(fmt::format("{} is neither text nor a list", key));
  for (auto& one : x->get_array()) {
    if (!one.is_string())
      return malformed(fmt::format("{} holds something that is no text", key));
    result.emplace_back(std::string_view{one.get_string()});
  }
  return result;
}

expected<std::optional<int64_t>> read_integer(const json::object& from,
                                              std::string_view key) {
  auto x = find(from, key);
  if (x == nullptr)
    return std::optional<int64_t>{};
  if (auto number = x->if_int64())
    return std::optional{*number};
  if (auto text = x->if_string()) {
    int64_t result = 0;
    auto end = text->data() + text->size();
    auto [stop, failure] = std::from_chars(text->data(), end, result);
    if (failure == std::errc{} && stop == end)
      return std::optional{result};
  }
  return malformed(fmt::format("{} is no integer", key));
}

expected<std::optional<std::chrono::milliseconds>>
read_seconds(const json::object& from, std::string_view key) {
  using milliseconds = std::chrono::milliseconds;
  auto x = find(from, key);
  if (x == nullptr)
    return std::optional<milliseconds>{};
  auto seconds = x->is_number() ? x->to_number<double>() : -1;
  if (!(seconds >= 0 && seconds <= seconds_max))
    return malformed(fmt::format("{} is no number of seconds", key));
  return std::optional{milliseconds{std::llround(seconds * 1'000)}};
}

bool is_true(const json::object& from, std::string_view key) {
  auto x = find(from, key);
  if (x == nullptr)
    return false;
  if (x->is_bool())
    return x->get_bool();
  return !x->is_number() || x->to_number<double>() != 0;
}

} // namespace umbel::remote
