#include "protocol/broker/redis/entry.hpp"

#include "protocol/message/envelope.hpp"
#include "protocol/message/json.hpp"

namespace umbel::redis {

namespace {

void strip_back(std::string_view& text) {
  constexpr std::string_view blanks = " \t\r\n";
  auto last = text.find_last_not_of(blanks);
  text = text.substr(0, last == std::string_view::npos ? 0 : last + 1);
}

bool take_back(std::string_view& text, char c) {
  strip_back(text);
  if (text.empty() || text.back() != c)
    return false;
  text.remove_suffix(1);
  return true;
}

// Takes a JSON string, or null, from the end of the text.
bool take_string_back(std::string_view& text, std::string& result) {
  strip_back(text);
  if (text.ends_with("null")) {
    result.clear();
    text.remove_suffix(4);
    return true;
  }
  if (!text.ends_with('"'))
    return false;
  // The opening quote is the next one that no odd number of backslashes
  // precedes.
  auto pos = text.size() - 1;
  for (;;) {
    if (pos == 0)
      return false;
    pos = text.rfind('"', pos - 1);
    if (pos == std::string_view::npos)
      return false;
    size_t backslashes = 0;
    while (backslashes < pos && text[pos - backslashes - 1] == '\\')
      ++backslashes;
    if (backslashes % 2 == 0)
      break;
  }
  boost::system::error_code failed;
  auto value = json::parse({text.data() + pos, text.size() - pos}, failed);
  if (failed || !value.is_string())
    return false;
  result = std::string_view{value.get_string()};
  text.remove_suffix(text.size() - pos);
  return true;
}

} // namespace

std::string entry_ending(std::string_view queue) {
  return ", \"\", "
         + to_json(json::value(json::string_view{queue.data(), queue.size()}))
         + "]";
}

std::optional<entry> split_entry(std::string_view text) {
  entry result;
  if (!take_back(text, ']') || !take_string_back(text, result.routing_key)
      || !take_back(text, ',') || !take_string_back(text, result.exchange)
      || !take_back(text, ',') || !text.starts_with('['))
    return std::nullopt;
  text.remove_prefix(1);
  result.payload = text;
  return result;
}

std::string redelivered(std::string_view payload) {
  auto marked = mark_redelivered(payload);
  return marked ? std::move(*marked) : std::string{payload};
}

} // namespace umbel::redis
