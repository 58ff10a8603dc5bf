#define CAF_SUITE python_repr

#include "tests/unit/dsl.hpp"

#include "tests/unit/message/vectors.hpp"

using namespace umbel;

namespace {

std::string repr(std::string_view text, size_t max = 1024) {
  return python_repr(parse_json(text).value(), max);
}

json::array list(std::string_view text) {
  return parse_json(text).value().as_array();
}

} // namespace

CAF_TEST(values as CPython shows them) {
  const std::pair<const char*, const char*> examples[]{
      {"null", "None"},
      {"true", "True"},
      {"false", "False"},
      {"-7", "-7"},
      {"18446744073709551615", "18446744073709551615"},
      {"8.0", "8.0"},
      {"1e16", "1e+16"},
      {"1e-7", "1e-07"},
      {"0.0001", "0.0001"},
      {"[NaN, Infinity, -Infinity]", "[nan, inf, -inf]"},
      {"[]", "[]"},
      {"{}", "{}"},
      {R"({"a": [1, {"b": null}]})", "{'a': [1, {'b': None}]}"},
      {R"("it's")", R"("it's")"},
      {R"("say \"hi\"")", R"('say "hi"')"},
      {R"("it's \"both\"")", R"('it\'s "both"')"},
      {R"("a\\b\n\r\t\u0000\u007f\u00a0\u00ad")",
       R"('a\\b\n\r\t\x00\x7f\xa0\xad')"},
      {R"("\u00e4\u2028\ud834\udd1e\ue000\udbff\udffd")",
       "'\xc3\xa4\\u2028\xf0\x9d\x84\x9e\\ue000\\U0010fffd'"},
  };
  for (auto& [text, want] : examples)
    CAF_CHECK_EQUAL(repr(text), want);
}

CAF_TEST(a tuple of one has a comma) {
  CAF_CHECK_EQUAL(python_repr_tuple({}), "()");
  CAF_CHECK_EQUAL(python_repr_tuple(list("[2]")), "(2,)");
  CAF_CHECK_EQUAL(python_repr_tuple(list("[2, [3]]")), "(2, [3])");
}

CAF_TEST(long values are cut and stay balanced) {
  CAF_CHECK_EQUAL(repr("[1, 2, 3, 4, 5, 6, 7, 8]", 10), "[1, 2, 3, , ...]");
  CAF_CHECK_EQUAL(repr(R"(["aaaaaaaaaa", 1])", 5), "['aaaa...', ...]");
  CAF_CHECK_EQUAL(repr(R"({"a": {"b": [1, 2, 3]}})", 14),
                  "{'a': {'b': [1, ...]}}");
  CAF_CHECK_EQUAL(python_repr_tuple(list(R"(["aaaaaaaaaa"])"), 5),
                  "('aaaa...', ...,)");
  CAF_CHECK_EQUAL(repr("[]", 0), ", ...");
}

CAF_TEST(the limit counts characters and never splits one) {
  auto text = "\"" + std::string(30, 'x') + "\u00e4\u00e4\u00e4\"";
  CAF_CHECK_EQUAL(repr(text, 31), "'" + std::string(30, 'x') + "\u00e4...'");
}

CAF_TEST(argsrepr of captured messages) {
  // Celery's saferepr quotes a string in a way of its own, so only values
  // without quotes, controls and too much depth are the same.
  for (auto name :
       {"plain", "kwargs", "no_args", "priority", "custom_id", "not_a_number",
        "retry", "time_limits", "group_1", "chord_2"}) {
    auto msg = parse_task_message(test::vector_text(name)).value();
    CAF_CHECK_EQUAL(python_repr_tuple(msg.args),
                    msg.headers.at("argsrepr").as_string().c_str());
    CAF_CHECK_EQUAL(python_repr(msg.kwargs),
                    msg.headers.at("kwargsrepr").as_string().c_str());
  }
}
