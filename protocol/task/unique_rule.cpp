#include "protocol/task/unique_rule.hpp"

#include "protocol/message/envelope.hpp"
#include "protocol/message/uniqueness.hpp"

namespace umbel {

namespace {

/// Longer keys are hashed: they are kept and shown.
constexpr size_t key_bytes_max = 200;

std::string text_of(std::span<const json::value* const> values) {
  if (values.size() == 1 && values[0]->is_string())
    return std::string{std::string_view{values[0]->get_string()}};
  if (values.size() == 1)
    return to_json(*values[0]);
  json::array all;
  for (auto* x : values)
    all.push_back(*x);
  return to_json(all);
}

} // namespace

std::string unique_key_of(std::span<const json::value* const> values) {
  auto text = text_of(values);
  return text.size() > key_bytes_max ? make_name_uuid(text) : text;
}

void add_unique_headers(json::object& to, const unique_rule& rule,
                        const std::string& key) {
  if (to.contains(unique_key_header))
    return;
  // An empty text would say nothing.
  to[unique_key_header] = key.empty() ? "\"\"" : key;
  if (rule.held_for)
    to.emplace(unique_for_header, rule.held_for->count());
  if (rule.until_start)
    to.emplace(unique_until_header, "start");
}

} // namespace umbel
