#include "protocol/message/uniqueness.hpp"

#include "protocol/message/envelope_view.hpp"

#include <cmath>
#include <cstring>

namespace umbel {

namespace {

using std::chrono::milliseconds;

/// Longer times are not meant: a year.
constexpr double seconds_max = 366.0 * 86'400;

std::string text_in(const json::object& from, std::string_view name) {
  auto* x = from.if_contains(name);
  if (!x || x->is_null())
    return {};
  return x->is_string() ? std::string{std::string_view{x->get_string()}}
                        : to_json(*x);
}

std::optional<milliseconds> time_in(const json::object& from,
                                    std::string_view name) {
  auto* x = from.if_contains(name);
  auto seconds = x && x->is_number() ? x->to_number<double>() : 0.0;
  if (!(seconds > 0))
    return std::nullopt;
  return milliseconds{std::llround(1'000 * std::min(seconds, seconds_max))};
}

/// Every message is looked through: this is several times as quick as `find`.
bool occurs(std::string_view what, std::string_view in) {
  return memmem(in.data(), in.size(), what.data(), what.size()) != nullptr;
}

} // namespace

std::optional<unique_terms> read_unique_terms(const json::object& headers) {
  auto key = text_in(headers, unique_key_header);
  auto once = time_in(headers, publish_once_header);
  auto id = text_in(headers, "id");
  if ((key.empty() && !once) || id.empty())
    return std::nullopt;
  unique_terms to;
  if (!key.empty())
    to.key = text_in(headers, "task") + '/' + key;
  to.id = std::move(id);
  to.held_for = time_in(headers, unique_for_header).value_or(to.held_for);
  to.until_start = text_in(headers, unique_until_header) == "start";
  to.once = once.value_or(milliseconds{0});
  return to;
}

std::optional<unique_terms> read_unique_terms(std::string_view payload) {
  if (!occurs(unique_key_header, payload)
      && !occurs(publish_once_header, payload))
    return std::nullopt;
  auto whole = parse_json(payload);
  if (!whole)
    return std::nullopt;
  auto view = view_envelope(*whole);
  return view ? read_unique_terms(*view->headers) : std::nullopt;
}

std::string describe_duplicate(const unique_terms& x, std::string_view holder) {
  return "task " + std::string{holder} + " has the unique key '" + x.key
         + "' already";
}

} // namespace umbel
