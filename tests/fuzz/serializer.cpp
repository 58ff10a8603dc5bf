// One serializer: what was read can be written, in it and in all others, and is
// then the same.
#include "tests/fuzz/fuzz.hpp"

using namespace umbel;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr auto max = size_t{4} << 20;
  auto x = deserialize(serializer::FUZZED, fuzz::text_of(data, size), max);
  if (!x)
    return 0;
  // As JSON writes it, once: tags may hold what only text can be made of.
  auto text = serialize(serializer::json, *x);
  for (auto how : {serializer::json, serializer::yaml, serializer::msgpack}) {
    auto once = deserialize(how, serialize(how, *x), max);
    FUZZ_CHECK(once);
    auto twice = deserialize(how, serialize(how, *once), max);
    FUZZ_CHECK(twice && to_json(*twice) == to_json(*once));
    if (text.find("__type__") == text.npos)
      FUZZ_CHECK(to_json(*once) == text);
  }
  return 0;
}
