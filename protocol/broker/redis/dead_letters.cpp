#include "protocol/broker/redis/dead_letters.hpp"

#include "protocol/broker/dead_letter.hpp"
#include "protocol/message/envelope.hpp"
#include "protocol/message/json.hpp"
#include "protocol/message/time.hpp"

namespace umbel::redis {

namespace {

bool is_utf8(const json::object& x) {
  boost::system::error_code failed;
  json::parse(json::serialize(x), failed);
  return !failed;
}

} // namespace

std::string to_text(const dead_letter& x) {
  json::object result;
  result["reason"] = x.reason;
  result["at"] = format_time(now());
  result["payload"] = x.payload;
  if (!is_utf8(result)) {
    result["payload"] = encode_base64(x.payload);
    result["encoding"] = "base64";
  }
  if (!is_utf8(result))
    result["reason"] = "(not UTF-8)";
  return to_json(result);
}

dead_letter parse_dead_letter(std::string_view text) {
  auto value = parse_json(text);
  if (!value || !value->is_object())
    return {"not a dead letter", std::string{text}, dead_letter_id(text), {}};
  auto text_at = [&](const char* name) -> std::string {
    auto* x = value->get_object().if_contains(name);
    return x && x->is_string() ? std::string{x->get_string()} : std::string{};
  };
  dead_letter result{text_at("reason"), text_at("payload"),
                     dead_letter_id(text), {}};
  if (auto at = parse_time(text_at("at")))
    result.at = *at;
  if (text_at("encoding") == "base64")
    if (auto payload = decode_base64(result.payload))
      result.payload = *payload;
  return result;
}

} // namespace umbel::redis
