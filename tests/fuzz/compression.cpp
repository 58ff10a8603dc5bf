// One compression: decoding stays within its bound, and what was decoded can be
// packed again.
#include "tests/fuzz/fuzz.hpp"

using namespace umbel;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr auto max = size_t{1} << 20;
  constexpr auto how = compression::FUZZED;
  auto x = decompress(how, fuzz::text_of(data, size), max);
  if (!x)
    return 0;
  FUZZ_CHECK(x->size() <= max);
  // Effort that finds nothing new after some kilobytes.
  if (x->size() > 4096)
    return 0;
  auto again = decompress(how, compress(how, *x), max);
  FUZZ_CHECK(again && *again == *x);
  return 0;
}
