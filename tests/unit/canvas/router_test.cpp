// Which queue a task goes to.
#define CAF_SUITE router

#include "tests/unit/dsl.hpp"

#include "protocol/canvas/router.hpp"

using namespace umbel;

namespace {

router parsed(std::string_view text) {
  return router::parse(parse_json(text).value()).value();
}

std::string refusal(std::string_view text) {
  auto x = router::parse(parse_json(text).value());
  return x ? "" : x.error().what;
}

std::string queue(const router& x, std::string_view task) {
  auto found = x.find(task);
  return found ? found->queue : "none";
}

} // namespace

CAF_TEST(names globs and regular expressions) {
  auto x = parsed(R"({"mail.*": "mail", "mail.urgent": {"queue": "fast", "priority": 9},
                      "/video\\.(cut|join)/": {"routing_key": "video"},
                      "a.[bc]?": "set"})");
  CAF_CHECK_EQUAL(queue(x, "mail.send"), "mail");
  CAF_CHECK_EQUAL(queue(x, "mail.urgent"), "fast"); // an exact name comes first
  CAF_CHECK_EQUAL(x.find("mail.urgent")->priority.value_or(-1), 9);
  CAF_CHECK_EQUAL(queue(x, "video.cut"), "video");
  CAF_CHECK_EQUAL(queue(x, "video.cuts"), "video"); // as Python's match
  CAF_CHECK_EQUAL(queue(x, "my.video.cut"), "none");
  CAF_CHECK_EQUAL(queue(x, "a.b1"), "set");
  CAF_CHECK_EQUAL(queue(x, "a.d1"), "none");
  CAF_CHECK_EQUAL(queue(x, "axb1"), "none"); // a dot is a dot
}

CAF_TEST(the first pattern decides) {
  auto x = parsed(R"([["*.send", "first"], {"mail.*": "second"}])");
  CAF_CHECK_EQUAL(queue(x, "mail.send"), "first");
  CAF_CHECK_EQUAL(queue(x, "mail.get"), "second");
}

CAF_TEST(functions) {
  router x;
  x.add([](std::string_view task) -> std::optional<route> {
    if (task.size() == 1)
      return route{"short", {}};
    return std::nullopt;
  });
  x.add("*", {"other", {}});
  CAF_CHECK_EQUAL(queue(x, "t"), "short");
  CAF_CHECK_EQUAL(queue(x, "tt"), "other");
}

CAF_TEST(mistakes are named) {
  CAF_CHECK_EQUAL(refusal("null"), "");
  CAF_CHECK_EQUAL(refusal("7"), "neither an object nor a list");
  CAF_CHECK_EQUAL(refusal(R"({"a": 7})"), "the route of 'a' is "
                                          "neither a queue nor an object");
  CAF_CHECK_EQUAL(refusal(R"({"a": {"queue": 7}})"),
                  "the queue of 'a' is no text");
  CAF_CHECK_EQUAL(refusal(R"({"a": {"priority": 10}})"),
                  "the priority of 'a' is no number from 0 to 9");
  CAF_CHECK_NOT_EQUAL(refusal(R"({"/(/": "q"})"), "");
  CAF_CHECK_NOT_EQUAL(refusal(R"([7])"), "");
}
