#define CAF_SUITE conversion

#include "tests/unit/dsl.hpp"

#include "protocol/task/from_json.hpp"
#include "protocol/task/to_json.hpp"

#include <fmt/format.h>

#include <deque>
#include <list>
#include <map>
#include <set>
#include <unordered_map>

namespace shop {

struct item {
  std::string name;
  double price = 0;
};

item tag_invoke(boost::json::value_to_tag<item>, const boost::json::value& x) {
  auto& object = x.as_object();
  return {boost::json::value_to<std::string>(object.at("name")),
          boost::json::value_to<double>(object.at("price"))};
}

void tag_invoke(boost::json::value_from_tag, boost::json::value& to,
                const item& x) {
  to = {{"name", x.name}, {"price", x.price}};
}

} // namespace shop

using namespace umbel;
using namespace std::chrono_literals;

namespace {

template <class Exception, class F>
bool throws(F f) {
  try {
    f();
  } catch (const Exception&) {
    return true;
  }
  return false;
}

template <class T>
T convert(std::string_view text) {
  auto parsed = parse_json(text);
  return from_json<T>(*parsed);
}

/// What is wrong with the argument; "" if nothing is.
template <class T>
std::string complaint(std::string_view text) {
  try {
    convert<T>(text);
    return "";
  } catch (const bad_argument& e) {
    return e.path + " " + e.what;
  }
}

template <class T>
std::string text_of(const T& x) {
  return to_json(to_json_value(x));
}

std::string as_text(const bytes& x) {
  return {reinterpret_cast<const char*>(x.data()), x.size()};
}

} // namespace

CAF_TEST(integers keep their value or are refused) {
  CAF_CHECK_EQUAL(convert<int>("-7"), -7);
  CAF_CHECK_EQUAL(convert<uint8_t>("255"), 255);
  CAF_CHECK_EQUAL(convert<uint64_t>("18446744073709551615"), UINT64_MAX);
  CAF_CHECK_EQUAL(convert<int64_t>("-9223372036854775808"), INT64_MIN);
  CAF_CHECK_EQUAL(complaint<uint8_t>("256"),
                  " must be between 0 and 255, not 256");
  CAF_CHECK_EQUAL(complaint<uint8_t>("-1"),
                  " must be between 0 and 255, not -1");
  CAF_CHECK_EQUAL(complaint<int8_t>("-129"),
                  " must be between -128 and 127, not -129");
  CAF_CHECK_EQUAL(complaint<int64_t>("9223372036854775808"),
                  " must be between -9223372036854775808 and "
                  "9223372036854775807, not 9223372036854775808");
  CAF_CHECK_EQUAL(complaint<int>("2.5"), " must be int, not float");
  CAF_CHECK_EQUAL(complaint<int>("2.0"), " must be int, not float");
  CAF_CHECK_EQUAL(complaint<int>("\"2\""), " must be int, not str");
  CAF_CHECK_EQUAL(complaint<int>("true"), " must be int, not bool");
  CAF_CHECK_EQUAL(complaint<int>("null"), " must be int, not NoneType");
}

CAF_TEST(other scalars) {
  CAF_CHECK_EQUAL(convert<bool>("true"), true);
  CAF_CHECK_EQUAL(complaint<bool>("1"), " must be bool, not int");
  CAF_CHECK_EQUAL(convert<double>("2"), 2.0);
  CAF_CHECK_EQUAL(complaint<double>("[]"), " must be float, not list");
  CAF_CHECK_EQUAL(convert<std::string>("\"x\""), "x");
  CAF_CHECK_EQUAL(complaint<std::string>("{}"), " must be str, not dict");
  json::value text = "view";
  CAF_CHECK_EQUAL(from_json<std::string_view>(text), "view");
  CAF_CHECK_EQUAL(convert<std::chrono::milliseconds>("1.5").count(), 1500);
  CAF_CHECK_EQUAL(complaint<std::chrono::milliseconds>("\"1\""),
                  " must be a number of seconds, not str");
  CAF_CHECK_NOT_EQUAL(complaint<std::chrono::milliseconds>("1e300"), "");
  CAF_CHECK_NOT_EQUAL(complaint<std::chrono::milliseconds>("NaN"), "");
}

CAF_TEST(numbers stay integers while they can) {
  auto sum = convert<number>("4") + convert<number>("4");
  CAF_CHECK(sum.is_integer());
  CAF_CHECK_EQUAL(text_of(sum), "8");
  CAF_CHECK_EQUAL(text_of(convert<number>("1.5") + number{2}), "3.5");
  CAF_CHECK_EQUAL(text_of(number{3} * number{-2}), "-6");
  CAF_CHECK(throws<std::overflow_error>(
      [&] { static_cast<void>(number{INT64_MAX} + number{1}); }));
  CAF_CHECK(throws<std::overflow_error>(
      [&] { static_cast<void>(number{INT64_MIN} * number{-1}); }));
  CAF_CHECK_EQUAL(complaint<number>("\"1\""), " must be int or float, not str");
}

CAF_TEST(containers say which element is wrong) {
  CAF_CHECK_EQUAL(convert<std::vector<int>>("[1, 2]"),
                  (std::vector<int>{1, 2}));
  CAF_CHECK_EQUAL(convert<std::set<int>>("[2, 1, 2]"), (std::set<int>{1, 2}));
  CAF_CHECK_EQUAL(convert<std::list<bool>>("[true]").size(), 1u);
  using prices = std::map<std::string, double>;
  CAF_CHECK_EQUAL(convert<prices>(R"({"a": 1})"), (prices{{"a", 1}}));
  using by_number = std::unordered_map<int, std::string>;
  CAF_CHECK(convert<by_number>(R"({"7": "x"})").at(7) == "x");
  CAF_CHECK_EQUAL(complaint<by_number>(R"({"x": "x"})"),
                  " must have integer keys, not 'x'");
  auto pair = convert<std::pair<int, std::string>>(R"([1, "x"])");
  CAF_CHECK_EQUAL(pair.second, "x");
  CAF_CHECK((convert<std::array<int, 2>>("[1, 2]")[1] == 2));
  CAF_CHECK_EQUAL(complaint<std::vector<int>>(R"([1, "2"])"),
                  "[1] must be int, not str");
  CAF_CHECK_EQUAL(complaint<prices>(R"({"a": null})"),
                  "['a'] must be float, not NoneType");
  using nested = std::map<std::string, std::vector<int>>;
  CAF_CHECK_EQUAL(complaint<nested>(R"({"a": [1, 2, 3.5]})"),
                  "['a'][2] must be int, not float");
  CAF_CHECK_EQUAL((complaint<std::tuple<int, int>>("[1]")),
                  " must have 2 elements, not 1");
  CAF_CHECK_EQUAL(complaint<std::vector<int>>("5"), " must be list, not int");
}

CAF_TEST(optional and variant) {
  CAF_CHECK(convert<std::optional<int>>("null") == std::nullopt);
  CAF_CHECK(convert<std::optional<int>>("3") == 3);
  using either = std::variant<int, std::string>;
  CAF_CHECK_EQUAL(convert<either>("3").index(), 0u);
  CAF_CHECK_EQUAL(convert<either>("\"3\"").index(), 1u);
  CAF_CHECK_EQUAL(complaint<either>("[]"), " must be int or str, not list");
  using maybe = std::variant<std::monostate, int>;
  CAF_CHECK_EQUAL(convert<maybe>("null").index(), 0u);
}

CAF_TEST(types of the author) {
  auto items =
      convert<std::vector<shop::item>>(R"([{"name": "tea", "price": 2.5}])");
  CAF_CHECK_EQUAL(items[0].name, "tea");
  CAF_CHECK_EQUAL(text_of(items), R"([{"name": "tea", "price": 2.5}])");
  auto why = complaint<std::vector<shop::item>>(R"([{"name": 1}])");
  CAF_CHECK(why.starts_with("[0] must be item, not dict: "));
  CAF_CHECK_EQUAL(why.find("/usr/"), std::string::npos);
}

CAF_TEST(the values that kombu tags) {
  auto tagged = [](const char* type, const char* value) {
    return fmt::format(R"({{"__type__": "{}", "__value__": {}}})", type, value);
  };
  auto moment = *parse_time("2026-11-23T11:45:16.169118+00:00");
  auto text = R"("2026-11-23T11:45:16.169118+00:00")";
  CAF_CHECK_EQUAL(convert<timestamp>(tagged("datetime", text)), moment);
  CAF_CHECK_EQUAL(convert<timestamp>(text), moment);
  CAF_CHECK_EQUAL(text_of(moment), text);
  CAF_CHECK_EQUAL(complaint<timestamp>("5"), " must be datetime, not int");
  CAF_CHECK(
      complaint<timestamp>("\"soon\"").starts_with(" must be datetime: "));
  CAF_CHECK_EQUAL(as_text(convert<bytes>(tagged("bytes", "\"ab\""))), "ab");
  CAF_CHECK_EQUAL(as_text(convert<bytes>(tagged("base64", "\"/wA=\""))),
                  (std::string{"\xff\0", 2}));
  CAF_CHECK_EQUAL(as_text(convert<bytes>("\"ab\"")), "ab");
  CAF_CHECK_EQUAL(text_of(convert<bytes>("\"ab\"")),
                  tagged("base64", "\"YWI=\""));
  CAF_CHECK_EQUAL(convert<std::string>(tagged("decimal", "\"1.10\"")), "1.10");
  CAF_CHECK_EQUAL(convert<double>(tagged("decimal", "\"1.5\"")), 1.5);
  CAF_CHECK_EQUAL(
      convert<std::string>(
          tagged("uuid", R"({"hex": "0123456789abcdef0123456789abcdef"})")),
      "01234567-89ab-cdef-0123-456789abcdef");
  CAF_CHECK_EQUAL(complaint<int>(tagged("decimal", "\"1\"")),
                  " must be int, not Decimal");
}

CAF_TEST(results) {
  CAF_CHECK_EQUAL(text_of(1500ms), "1.5");
  CAF_CHECK_EQUAL(text_of(2s), "2");
  CAF_CHECK_EQUAL(text_of(std::vector<bool>{true, false}), "[true, false]");
  CAF_CHECK_EQUAL(text_of(std::map<int, std::optional<int>>{{1, 2}, {3, {}}}),
                  R"({"1": 2, "3": null})");
  CAF_CHECK_EQUAL(text_of(std::tuple{1, std::string{"x"}, nullptr}),
                  R"([1, "x", null])");
  CAF_CHECK_EQUAL(text_of(std::variant<int, double>{2.5}), "2.5");
  CAF_CHECK_EQUAL(text_of(json::value{{"a", 1}}), R"({"a": 1})");
  CAF_CHECK_EQUAL(text_of("text"), R"("text")");
}
