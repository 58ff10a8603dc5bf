// What all fuzzers share: an entry, and a check that ends the program.
#pragma once

#include "protocol/message/content.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

/// For rules that no input may break.
#define FUZZ_CHECK(condition) \
  do { \
    if (!(condition)) \
      std::abort(); \
  } while (false)

namespace umbel::fuzz {

inline std::string_view text_of(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// Everything is accepted, and nothing grows beyond what a fuzzer may use.
inline content_rules all_content() {
  return {{serializer::json, serializer::yaml, serializer::msgpack}, 4u << 20};
}

} // namespace umbel::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
