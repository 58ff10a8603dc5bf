// Which way a task goes by its name.
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

std::optional<route> find(const router& x, std::string_view task,
                          const json::array& args = {}) {
  static const json::object none;
  return x.find({task, args, none, none});
}

std::string queue(const router& x, std::string_view task) {
  auto found = find(x, task);
  return found ? found->queue : "none";
}

} // namespace

CAF_TEST(names globs and regular expressions) {
  auto x = parsed(R"({"mail.*": "mail", "mail.urgent": {"queue": "fast", "priority": 9},
                      "/video\\.(cut|join)/": "video", "a.[bc]?*": "set",
                      "what?": "a name"})");
  CAF_CHECK_EQUAL(queue(x, "mail.send"), "mail");
  CAF_CHECK_EQUAL(queue(x, "mail.urgent"), "fast"); // an exact name comes first
  auto urgent = find(x, "mail.urgent");
  CAF_CHECK_EQUAL(urgent->priority.value_or(-1), 9);
  CAF_CHECK_EQUAL(queue(x, "video.cut"), "video");
  CAF_CHECK_EQUAL(queue(x, "video.cuts"), "video"); // as Python's match
  CAF_CHECK_EQUAL(queue(x, "my.video.cut"), "none");
  CAF_CHECK_EQUAL(queue(x, "a.b1"), "set");
  CAF_CHECK_EQUAL(queue(x, "a.d1"), "none");
  CAF_CHECK_EQUAL(queue(x, "axb1"), "none"); // a dot is a dot
  // In Celery a glob is what has a star.
  CAF_CHECK_EQUAL(queue(x, "what?"), "a name");
  CAF_CHECK_EQUAL(queue(x, "whats"), "none");
}

CAF_TEST(all that a route can say) {
  auto x = find(parsed(R"({"t": {"queue": "q", "exchange": "e", "exchange_type": "topic",
                                 "routing_key": "k", "priority": 3,
                                 "serializer": "yaml", "compression": "gzip",
                                 "headers": {"h": 1}}})"),
                "t");
  CAF_REQUIRE(x.has_value());
  CAF_CHECK_EQUAL(x->queue + x->exchange + x->exchange_type + x->routing_key,
                  "qetopick");
  CAF_CHECK(x->serializer == serializer::yaml);
  CAF_CHECK(x->compression == compression::zlib);
  CAF_CHECK_EQUAL(to_json(x->headers), R"({"h": 1})");
}

CAF_TEST(the first router that answers decides) {
  auto x = parsed(R"([["*.send", "first"], {"mail.*": "second", "a.send": "late"}])");
  CAF_CHECK_EQUAL(queue(x, "mail.send"), "first");
  CAF_CHECK_EQUAL(queue(x, "mail.get"), "second");
  // A name in a later router does not come before a pattern in an earlier one.
  CAF_CHECK_EQUAL(queue(x, "a.send"), "first");
}

CAF_TEST(lists of pairs as in the documentation of Celery) {
  auto x = parsed(R"([[["feed.tasks.*", {"queue": "feeds"}],
                       ["web.tasks.*", {"queue": "web"}]],
                      [["*", "rest"]]])");
  CAF_CHECK_EQUAL(queue(x, "feed.tasks.import"), "feeds");
  CAF_CHECK_EQUAL(queue(x, "web.tasks.get"), "web");
  CAF_CHECK_EQUAL(queue(x, "t"), "rest");
}

CAF_TEST(functions) {
  router x;
  x.add("fixed", {.queue = "fixed"});
  CAF_CHECK(!x.has_functions());
  x.add([](const routed_call& call) -> std::optional<route> {
    if (call.args.size() == 1)
      return route{.queue = "one"};
    return std::nullopt;
  });
  x.add("*", {.queue = "other"});
  CAF_CHECK(x.has_functions());
  auto one = find(x, "t", {7});
  CAF_CHECK_EQUAL(one->queue, "one");
  CAF_CHECK_EQUAL(queue(x, "t"), "other");
  CAF_CHECK_EQUAL(queue(x, "fixed"), "fixed");
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
  CAF_CHECK_EQUAL(refusal(R"({"a": {"countdown": 1}})"),
                  "the route of 'a' has 'countdown'; there are queue, exchange, "
                  "exchange_type, routing_key, priority, serializer, compression, "
                  "delivery_mode, headers");
  CAF_CHECK_EQUAL(refusal(R"(["shop.router"])"),
                  "'shop.router' is a router in Python; only patterns can be read "
                  "here");
  CAF_CHECK_NOT_EQUAL(refusal(R"({"a": {"serializer": "pickle"}})"), "");
  CAF_CHECK_NOT_EQUAL(refusal(R"({"a": {"headers": []}})"), "");
  CAF_CHECK_NOT_EQUAL(refusal(R"({"/(/": "q"})"), "");
  CAF_CHECK_NOT_EQUAL(refusal("[7]"), "");
  CAF_CHECK_NOT_EQUAL(refusal("[[7]]"), "");
}
