#define CAF_SUITE stamp_revocation

#include "protocol/control/stamp_revocation.hpp"

#include "protocol/message/stamps.hpp"

#include "tests/unit/dsl.hpp"

#include <csignal>

using namespace umbel;

namespace {

std::string stamps(const std::string& names, const std::string& values) {
  std::string result;
  for (auto& id :
       read_stamps(R"({"body": "", "headers": {"stamped_headers": )" + names
                   + R"(, "stamps": )" + values + R"(}, "properties": {}})"))
    result += id.str() + ' ';
  return result;
}

expected<stamp_revocation> read(const std::string& arguments) {
  return parse_stamp_revocation(parse_json(arguments).value().as_object());
}

} // namespace

CAF_TEST(stamps are what stamped_headers names) {
  CAF_CHECK_EQUAL(stamps("null", "{}"), "");
  CAF_CHECK_EQUAL(stamps(R"(["a", "b"])", R"({"a": "x", "b": [1, "y"], "c": 2})"),
                  "stamp:a=x stamp:b=1 stamp:b=y ");
  CAF_CHECK_EQUAL(stamps(R"(["a"])", R"({"a": null})"), "stamp:a=null ");
  for (auto names : {"[]", "7", R"("a")", "[1]", R"(["b"])", "{"})
    CAF_CHECK_EQUAL(stamps(names, R"({"a": "x"})"), "");
  for (auto values : {"null", "[]", R"("a")"})
    CAF_CHECK_EQUAL(stamps(R"(["a"])", values), "");
  CAF_CHECK(read_stamps("").empty());
  CAF_CHECK(read_stamps(R"("stamped_headers")").empty());
  CAF_CHECK(is_stamp(stamp_id("a", "x")));
  CAF_CHECK(!is_stamp(task_id{"a=x"}));
}

CAF_TEST(stamps come as an object or as words) {
  auto words = read(R"({"headers": ["a=x", "b=y=z", "b=2"]})").value();
  CAF_CHECK_EQUAL(to_json(words.headers), R"({"a": "x", "b": ["y=z", "2"]})");
  CAF_REQUIRE_EQUAL(words.stamps.size(), 3u);
  CAF_CHECK_EQUAL(words.stamps[1].id.str(), "stamp:b=y=z");
  CAF_CHECK_EQUAL(words.request.ids.size(), 3u);
  CAF_CHECK(!words.request.signal);
  auto object = read(R"({"headers": {"a": ["x", 2]}, "terminate": true,
                         "signal": "SIGKILL"})")
                  .value();
  CAF_CHECK_EQUAL(object.stamps.at(1).id.str(), "stamp:a=2");
  CAF_CHECK(object.request.signal == SIGKILL);
  CAF_CHECK(read(R"({"headers": "a=x", "terminate": true})")->request.signal
            == SIGTERM);
}

CAF_TEST(what names no stamp is an error) {
  for (auto bad : {"{}", R"({"headers": null})", R"({"headers": []})",
                   R"({"headers": {}})", R"({"headers": ["a"]})",
                   R"({"headers": ["=x"]})", R"({"headers": 7})",
                   R"({"headers": [7]})", R"({"headers": {"a": []}})",
                   R"({"headers": "a=x", "terminate": 1, "signal": "NO"})"})
    CAF_CHECK(read(bad).has_error());
}
