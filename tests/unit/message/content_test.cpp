// Serializers and compressions against what kombu has written
// (capture_bodies.py), and against themselves.
#define CAF_SUITE content

#include "tests/unit/dsl.hpp"

#include "protocol/message/content.hpp"
#include "tests/unit/message/vectors.hpp"

#include <cmath>
#include <limits>
#include <random>

using namespace umbel;
using namespace umbel::test;

namespace {

constexpr serializer serializers[] = {serializer::json, serializer::yaml,
                                      serializer::msgpack};
constexpr compression compressions[] = {compression::none, compression::zlib,
                                        compression::bzip2, compression::lzma,
                                        compression::zstd, compression::brotli};
constexpr size_t enough = 1u << 20;

std::string captured(const std::string& name) {
  std::ifstream in{std::filesystem::path{UMBEL_TEST_DATA} / "bodies" / name};
  if (!in)
    throw std::runtime_error{"no body " + name};
  return {std::istreambuf_iterator<char>{in}, {}};
}

json::value captured_json(const std::string& name) {
  return parse_json(captured(name)).value();
}

std::string why(const expected<json::value>& x) {
  return x ? "accepted: " + to_json(*x) : reason(x);
}

json::value yaml(std::string_view text) {
  auto x = deserialize(serializer::yaml, text, enough);
  if (!x)
    return json::value(x.error().what);
  return *x;
}

/// Random values of every kind, the same for each seed.
class value_maker {
public:
  explicit value_maker(uint32_t seed) : rng_(seed) {
  }

  json::value make(int depth = 4) {
    switch (rng_() % (depth > 0 ? 9 : 6)) {
      case 0:
        return nullptr;
      case 1:
        return rng_() % 2 == 0;
      case 2:
        return json::value(static_cast<int64_t>(bits()) >> rng_() % 64);
      case 3: {
        auto x = static_cast<double>(static_cast<int64_t>(bits()));
        return std::ldexp(x, static_cast<int>(rng_() % 200) - 100);
      }
      case 4:
        return json::value(json::string{text()});
      case 5:
        return json::value(INT64_MAX + uint64_t{1} + rng_());
      case 6:
      case 7: {
        json::array xs;
        for (auto n = rng_() % 5; n > 0; --n)
          xs.push_back(make(depth - 1));
        return xs;
      }
      default: {
        json::object xs;
        for (auto n = rng_() % 5; n > 0; --n)
          xs[text()] = make(depth - 1);
        return xs;
      }
    }
  }

private:
  uint64_t bits() {
    return uint64_t{rng_()} << 32 | rng_();
  }

  std::string text() {
    constexpr const char* pieces[] = {"a",  "yes", "\n", "\"", "\\", ": ", "- ",
                                      "#",  "\t",  "é",  "日", "🌿", "\x7f", "0",
                                      "\b", "'",   "{",  "]",  ",",  "\xc2\x85"};
    std::string out;
    for (auto n = rng_() % 6; n > 0; --n)
      out += pieces[rng_() % std::size(pieces)];
    return out;
  }

  std::mt19937 rng_;
};

} // namespace

CAF_TEST(all that kombu writes is read) {
  auto value = captured_json("value.json");
  for (auto how : serializers)
    for (auto packed : compressions) {
      auto name = std::string{name_of(how)} + '-'
                  + (packed == compression::none
                         ? "none"
                         : std::string{name_of(packed)});
      CAF_MESSAGE(name);
      auto x = decode_body({how, packed}, captured(name), enough);
      CAF_REQUIRE_EQUAL(x ? "" : reason(x), "");
      CAF_CHECK(*x == value); // PyYAML sorts the keys
    }
}

CAF_TEST(bytes and times come back tagged) {
  auto types = captured_json("types.json").as_object();
  for (auto how : {serializer::yaml, serializer::msgpack}) {
    auto name = std::string{name_of(how)};
    auto x = deserialize(how, captured(name + "-types"), enough);
    CAF_REQUIRE_EQUAL(why(x), "accepted: " + to_json(types[name]));
    auto again = deserialize(how, serialize(how, *x), enough);
    CAF_CHECK_EQUAL(why(again), "accepted: " + to_json(types[name]));
  }
}

CAF_TEST(random values survive every form) {
  value_maker values{20261124};
  for (int i = 0; i < 300; ++i) {
    auto x = values.make();
    for (auto how : serializers)
      for (auto packed : compressions) {
        body_form form{how, packed};
        auto again = decode_body(form, encode_body(form, x), enough);
        if (why(again) != "accepted: " + to_json(x))
          CAF_FAIL(name_of(how) << ' ' << name_of(packed) << ": " << to_json(x)
                                << " became " << why(again));
      }
  }
}

CAF_TEST(what is no number or infinite survives) {
  constexpr auto infinity = std::numeric_limits<double>::infinity();
  for (auto how : serializers) {
    auto text = serialize(how, json::array{infinity, -infinity, std::nan("")});
    auto x = deserialize(how, text, enough);
    CAF_CHECK_EQUAL(why(x), "accepted: [Infinity, -Infinity, NaN]");
  }
}

CAF_TEST(what JSON lacks becomes text where the serializer lacks it too) {
  auto tagged = parse_json(
      R"([{"__type__": "decimal", "__value__": "1.50"},
          {"__type__": "uuid", "__value__":
            {"hex": "00112233445566778899aabbccddeeff"}},
          {"__type__": "time", "__value__": "01:02:03"}])");
  for (auto how : {serializer::yaml, serializer::msgpack}) {
    auto x = deserialize(how, serialize(how, *tagged), enough);
    CAF_CHECK_EQUAL(why(x), "accepted: [\"1.50\", "
                            "\"00112233-4455-6677-8899-aabbccddeeff\", "
                            "\"01:02:03\"]");
  }
}

CAF_TEST(MessagePack is as strict as Python) {
  auto read = [](std::string_view x) {
    return why(deserialize(serializer::msgpack, x, enough));
  };
  CAF_CHECK_EQUAL(read("\xa1\xff"),
                  "not valid MessagePack: a text that is no UTF-8");
  CAF_CHECK_EQUAL(read({"\x81\x01\x02", 3}),
                  "not valid MessagePack: a key that is no text, at byte 2");
  CAF_CHECK_EQUAL(read(""), "not valid MessagePack: broken at byte 1");
  CAF_CHECK_EQUAL(read({"\x01\x01", 2}),
                  "not valid MessagePack: broken at byte 2");
  CAF_CHECK_EQUAL(read({"\xdd\xff\xff\xff\xff", 5}),
                  "not valid MessagePack: broken at byte 6");
  CAF_CHECK_EQUAL(read({"\xd4\x05\x01", 3}),
                  "not valid MessagePack: an extension of type 5, which Celery "
                  "does not have");
  CAF_CHECK_EQUAL(read(std::string(2'000'000, '\x91')),
                  "not valid MessagePack: nested too deeply");
  // A time in 32 bits.
  CAF_CHECK_EQUAL(read({"\xd6\xff\x6a\x25\x00\x20", 6}),
                  "accepted: {\"__type__\": \"datetime\", \"__value__\": "
                  "\"2026-06-07T05:22:40+00:00\"}");
}

CAF_TEST(plain scalars of YAML are what PyYAML takes them for) {
  // What yaml.safe_load of PyYAML 6.0 says.
  const std::pair<const char*, json::value> cases[] = {
      {"yes", true},           {"Off", false},        {"~", nullptr},
      {"NULL", nullptr},       {"0o17", "0o17"},      {"017", 15},
      {"0b101", 5},            {"-0x1F", -31},        {"1_000", 1000},
      {"1:30", 90},            {"1:60", "1:60"},      {"09", "09"},
      {"1e3", "1e3"},          {"1.0e+3", 1000.0},    {"1.0e3", "1.0e3"},
      {".5", 0.5},             {"5.", 5.0},           {"1.2.3", "1.2.3"},
      {"y", "y"},              {"nan", "nan"},        {"-1", -1},
      {"+12", 12},             {"'12'", "12"},        {"!!str 12", "12"},
      {"!!int '12'", 12},      {"!!float 12", 12.0},  {"2026-1-2", "2026-1-2"},
      {"18446744073709551615", 18446744073709551615u},
      {R"("\N\_\L\P")", "\xc2\x85\xc2\xa0\xe2\x80\xa8\xe2\x80\xa9"},
  };
  for (auto& [text, value] : cases)
    CAF_CHECK_EQUAL(to_json(yaml(text)), to_json(value));
}

CAF_TEST(YAML outside of the safe subset is refused) {
  auto read = [](std::string_view x) {
    return why(deserialize(serializer::yaml, x, enough));
  };
  CAF_CHECK_EQUAL(read("!!python/object/apply:os.system ['true']"),
                  "not valid YAML: the tag "
                  "'tag:yaml.org,2002:python/object/apply:os.system' is "
                  "outside of the safe subset");
  CAF_CHECK_EQUAL(read("!local x"), "not valid YAML: the tag '!local' is outside "
                                    "of the safe subset");
  CAF_CHECK_EQUAL(read("!!set {a, b}"),
                  "not valid YAML: the tag 'tag:yaml.org,2002:set' is outside of "
                  "the safe subset");
  CAF_CHECK_EQUAL(read("<<: {a: 1}"), "not valid YAML: a merge key (<<) is "
                                      "outside of the safe subset");
  CAF_CHECK_EQUAL(read("[a]: 1"), "not valid YAML: a key that is no scalar");
  CAF_CHECK_EQUAL(read("--- 1\n--- 2\n"),
                  "not valid YAML: more than one document");
  CAF_CHECK_EQUAL(read("  # nothing\n"), "not valid YAML: it is empty");
  CAF_CHECK_EQUAL(read("\xa0"), "not valid YAML: it is no UTF-8");
  CAF_CHECK_EQUAL(read({"a\0", 2}), "not valid YAML: a NUL character");
  CAF_CHECK_EQUAL(read("!!int x"), "not valid YAML: 'x' is no int");
  CAF_CHECK(read("{a: 1").starts_with("not valid YAML: "));
  CAF_CHECK(read(std::string(100'000, '[')).starts_with("not valid YAML: "));
}

CAF_TEST(aliases of YAML are followed within a bound) {
  auto x = deserialize(serializer::yaml, captured("yaml-alias"), enough);
  CAF_CHECK_EQUAL(why(x), R"(accepted: [[1, {"a": "b"}], [1, {"a": "b"}]])");
  CAF_CHECK_EQUAL(why(deserialize(serializer::yaml, "&a [*a]", enough)),
                  "not valid YAML: an alias within what it means");
  std::string laughs = "- &a0 [lol]\n";
  for (int i = 1; i < 30; ++i) {
    auto before = "*a" + std::to_string(i - 1);
    laughs += "- &a" + std::to_string(i) + " [" + before + ", " + before + "]\n";
  }
  CAF_CHECK_EQUAL(why(deserialize(serializer::yaml, laughs, enough)),
                  "not valid YAML: its aliases mean more than is accepted");
}

CAF_TEST(names of serializers) {
  for (auto how : serializers) {
    CAF_CHECK_EQUAL(parse_serializer(name_of(how)).value(), how);
    CAF_CHECK_EQUAL(parse_serializer(content_type_of(how)).value(), how);
  }
  for (auto name : {"pickle", "application/x-python-serialize"}) {
    auto refused = parse_serializer(name);
    CAF_REQUIRE(!refused);
    CAF_CHECK(refused.error().what.starts_with("pickle is refused: "));
    CAF_CHECK(refused.error().what.ends_with("json, msgpack or yaml"));
  }
  for (auto name : {"auth", "raw", "application/data", "JSON", ""})
    CAF_CHECK(parse_serializer(name).has_error());
}

CAF_TEST(names of compressions) {
  const std::pair<const char*, compression> all[] = {
      {"", compression::none},
      {"gzip", compression::zlib},
      {"zlib", compression::zlib},
      {"application/x-gzip", compression::zlib},
      {"bzip", compression::bzip2},
      {"bzip2", compression::bzip2},
      {"application/x-bz2", compression::bzip2},
      {"lzma", compression::lzma},
      {"xz", compression::lzma},
      {"application/x-lzma", compression::lzma},
      {"zstd", compression::zstd},
      {"zstandard", compression::zstd},
      {"application/zstd", compression::zstd},
      {"brotli", compression::brotli},
      {"application/x-brotli", compression::brotli},
  };
  for (auto& [name, how] : all)
    CAF_CHECK_EQUAL(parse_compression(name).value(), how);
  CAF_CHECK_EQUAL(parse_compression("lz4").error().what,
                  "compression 'lz4' is not known; known are zlib, bzip2, lzma, "
                  "zstd, brotli");
}

CAF_TEST(broken compressed data is malformed) {
  std::string text(100'000, 'x');
  std::mt19937 rng{1};
  for (auto& c : text)
    c = static_cast<char>('a' + rng() % 16);
  for (auto how : compressions) {
    if (how == compression::none)
      continue;
    auto good = compress(how, text);
    CAF_CHECK_EQUAL(decompress(how, good, enough).value(), text);
    // Exactly the bound is not beyond it.
    CAF_CHECK(decompress(how, good, text.size()).has_value());
    CAF_CHECK_EQUAL(decompress(how, good, text.size() - 1).error().what,
                    std::string{name_of(how)}
                        + ": more than the 99999 bytes that are accepted "
                          "(task_body_max)");
    CAF_CHECK_EQUAL(decompress(how, "", enough).error().what,
                    std::string{name_of(how)} + ": the data ends too early");
    for (size_t cut : {size_t{1}, good.size() / 2, good.size() - 1})
      CAF_CHECK(decompress(how, good.substr(0, cut), enough).has_error());
    CAF_CHECK(decompress(how, good + "x", enough).has_error());
    auto noise = good;
    for (size_t i = 0; i < noise.size(); i += 7)
      noise[i] = static_cast<char>(noise[i] ^ 0x55);
    CAF_CHECK(decompress(how, noise, enough).has_error());
    CAF_CHECK_EQUAL(decompress(how, compress(how, ""), enough).value(), "");
  }
}

CAF_TEST(a bomb ends at its bound) {
  // Small enough for all of them to be made, and to expand beyond 16 MiB.
  std::string zeros(40u << 20, '\0');
  for (auto how : compressions) {
    if (how == compression::none)
      continue;
    auto bomb = compress(how, zeros);
    CAF_CHECK_EQUAL(decompress(how, bomb, enough).error().what,
                    std::string{name_of(how)}
                        + ": more than the 1048576 bytes that are accepted "
                          "(task_body_max)");
    auto whole = decompress(how, bomb, zeros.size());
    // zlib cannot do more than 1,032 times, and is believed.
    CAF_CHECK_EQUAL(whole.has_value(), bomb.size() * 2000 >= zeros.size());
  }
}
