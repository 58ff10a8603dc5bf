// Hostile input: thousands of mutations of captured messages. Whatever comes
// in, the parsers return, and an error is `malformed` with a reason. Run it
// under the asan preset to see memory errors as well.
#define CAF_SUITE mutation

#include "tests/unit/dsl.hpp"

#include "tests/unit/message/vectors.hpp"

#include <random>
#include <set>

using namespace umbel;
using namespace umbel::test;

namespace {

constexpr uint32_t seed = 20261123;

constexpr const char* values[]{"null",
                               "true",
                               "false",
                               "0",
                               "-1",
                               "1.5",
                               "NaN",
                               "-Infinity",
                               "1e308",
                               "18446744073709551615",
                               "99999999999999999999999999",
                               "\"\"",
                               "\"x\"",
                               "\"\\u0000\"",
                               "\"\\ud834\\udd1e\"",
                               "[]",
                               "[null]",
                               "[[[]]]",
                               "{}",
                               "{\"a\": {}}",
                               "{\"__type__\": \"x\", \"__value__\": 1}",
                               "[1, 2, 3]",
                               "\"2026-11-23T11:45:16Z\""};

struct fixture {
  std::mt19937 rng{seed};
  size_t accepted = 0;
  size_t refused = 0;

  size_t below(size_t n) {
    return rng() % n; // the same on every platform, unlike distributions
  }

  template <class T>
  bool check_result(const expected<T>& x, const std::string& input) {
    if (x)
      return true;
    if (x.error().code != errc::malformed || x.error().what.empty()
        || x.error().what.size() > 1000)
      CAF_ERROR("seed " << seed << ": " << to_string(x.error()) << " for "
                        << input);
    return false;
  }

  void feed(const std::string& input) {
    try {
      check_result(parse_envelope(input), input);
      check_result(mark_redelivered(input), input);
      check_result(read_task_header(input), input);
      auto msg = parse_task_message(input);
      if (!check_result(msg, input)) {
        ++refused;
        return;
      }
      ++accepted;
      // What is accepted can be retried, and that can be read again.
      auto retry = make_retry_message(*msg, now());
      if (auto again = parse_task_message(retry); !again)
        CAF_ERROR("seed " << seed << ": retry is " << again.error().what
                          << ", of " << input);
    } catch (std::exception& x) {
      CAF_ERROR("seed " << seed << ": thrown " << x.what() << " for " << input);
    }
  }

  json::value any_value() {
    return parse_json(values[below(std::size(values))]).value();
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(mutation_tests, fixture)

CAF_TEST(truncations) {
  for (auto& name : vector_names()) {
    auto text = vector_text(name);
    for (size_t n = 0; n < text.size(); n += 1 + below(40))
      feed(text.substr(0, n));
  }
  CAF_CHECK_EQUAL(accepted, 0u);
}

CAF_TEST(bytes are flipped inserted and removed) {
  for (auto& name : vector_names()) {
    auto text = vector_text(name);
    for (int i = 0; i < 150; ++i) {
      auto copy = text;
      for (size_t k = 0; k <= below(4); ++k) {
        auto at = below(copy.size());
        auto byte = static_cast<char>(rng());
        switch (below(3)) {
          case 0:
            copy[at] = byte;
            break;
          case 1:
            copy.insert(at, 1, byte);
            break;
          default:
            copy.erase(at, 1 + below(8));
        }
      }
      feed(copy);
    }
  }
  CAF_CHECK(refused > 1000);
}

CAF_TEST(every member gets every type) {
  const std::set<std::string> thorough{"plain", "retry", "v1_eta", "chord_1"};
  for (auto& name : vector_names()) {
    auto original = vector_object(name);
    for (auto value : values) {
      if (!thorough.contains(name) && below(16) != 0)
        continue;
      auto x = parse_json(value).value();
      for (auto& member : original) {
        auto copy = original;
        copy[member.key()] = x;
        feed(text_of(copy));
        copy.erase(member.key());
        feed(text_of(copy));
      }
      for (auto part : {"headers", "properties"})
        for (auto& member : original.at(part).as_object()) {
          auto copy = original;
          copy[part].as_object()[member.key()] = x;
          feed(text_of(copy));
        }
      auto copy = original;
      copy["properties"].at("delivery_info").as_object()["routing_key"] = x;
      feed(text_of(copy));
      set_body(copy, value);
      feed(text_of(copy));
    }
  }
  CAF_CHECK(accepted > 1000);
  CAF_CHECK(refused > 1000);
}

CAF_TEST(bodies are mutated inside of their base64) {
  for (auto& name : vector_names()) {
    auto original = vector_object(name);
    auto body = parse_envelope(vector_text(name)).value().body;
    for (int i = 0; i < 60; ++i) {
      auto copy = body;
      copy[below(copy.size())] = static_cast<char>(rng());
      if (below(3) == 0)
        copy.resize(below(copy.size()));
      set_body(original, copy);
      feed(text_of(original));
    }
    auto value = parse_json(body).value();
    for (int i = 0; i < 30; ++i) {
      auto copy = value;
      if (copy.is_array())
        copy.get_array()[below(3)] = any_value();
      else
        (copy.get_object().begin() + below(copy.get_object().size()))->value() =
            any_value();
      set_body(original, to_json(copy));
      feed(text_of(original));
    }
  }
  CAF_CHECK(accepted > 100);
  CAF_CHECK(refused > 1000);
}

CAF_TEST(random bytes and deep nesting) {
  for (int i = 0; i < 2000; ++i) {
    std::string text;
    for (auto n = below(200); n > 0; --n)
      text += static_cast<char>(rng());
    feed(text);
  }
  for (auto open : {"[", "{\"headers\":", "{\"body\":[", "[{\"a\":"}) {
    std::string text;
    for (int i = 0; i < 100'000; ++i)
      text += open;
    feed(text);
    auto x = vector_object("plain");
    set_body(x, text);
    feed(text_of(x));
  }
  CAF_CHECK_EQUAL(accepted, 0u);
}

CAF_TEST_FIXTURE_SCOPE_END()
