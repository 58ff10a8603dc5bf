// The ledger of Redis, which Python peers write as well, and dead letters.
#include "protocol/broker/redis/dead_letters.hpp"
#include "protocol/broker/redis/entry.hpp"
#include "protocol/message/delivery_history.hpp"
#include "protocol/message/envelope.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace umbel;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto text = fuzz::text_of(data, size);
  if (auto entry = redis::split_entry(text)) {
    priority_of(entry->payload);
    redis::redelivered(entry->payload);
  }
  auto whole = '[' + std::string{text} + redis::entry_ending("celery");
  auto entry = redis::split_entry(whole);
  FUZZ_CHECK(entry && entry->payload == text && entry->routing_key == "celery");
  redis::parse_dead_letter(text);
  read_history(text);
  auto replayed_once = as_new(text);
  FUZZ_CHECK(as_new(replayed_once) == replayed_once);
  auto letter = redis::parse_dead_letter(
      redis::to_text(dead_letter{"why", std::string{text}}));
  FUZZ_CHECK(letter.payload == text && letter.reason == "why");
  return 0;
}
