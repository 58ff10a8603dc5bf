// Tasks that say themselves that they are unique, and what else is added to the calls
// that are made in a process that has them.
#define CAF_SUITE unique

#include "tests/unit/dsl.hpp"
#include "tests/unit/task/call_of.hpp"
#include "tests/unit/task/recording_sink.hpp"
#include "tests/unit/task/simulated_runtime.hpp"

#include "protocol/message/uniqueness.hpp"
#include "protocol/task/runner.hpp"
#include "protocol/task/task.hpp"

using namespace umbel;
using namespace std::chrono_literals;
using namespace umbel::literals;

namespace {

int report(const std::string&, int, bool) {
  return 0;
}

struct fixture {
  task_definition& define() {
    return app.task("report", report, "shop", "day", "full"_a = false);
  }

  /// The headers that a call gets.
  json::object headers_of(json::array args, json::object kwargs = {},
                          json::object headers = {}) {
    auto x = call_of("report");
    x.args = std::move(args);
    x.kwargs = std::move(kwargs);
    x.headers = std::move(headers);
    app.add_unique_headers(x);
    return x.headers;
  }

  std::string key_of(json::array args, json::object kwargs = {}) {
    auto found = headers_of(std::move(args), std::move(kwargs));
    auto* key = found.if_contains(unique_key_header);
    return key ? key->as_string().c_str() : "none";
  }

  outcome run(const task_call& x) {
    task_runner runner{app, settings, where};
    std::optional<outcome> end;
    end = runner.start(7, make_task_message(x), sink,
                       [&](outcome y) { end = std::move(y); });
    where.advance(1h);
    return std::move(end.value());
  }

  static std::string header_of(const outgoing_message& x, const char* name) {
    return read_header_text(x.payload, name);
  }

  simulated_runtime where;
  registry app;
  runner_settings settings;
  recording_sink sink;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(unique_tests, fixture)

CAF_TEST(the key is made of the arguments however they are given) {
  define().unique_key("shop", "day");
  CAF_CHECK_EQUAL(key_of({"acme", 1}), R"(["acme", 1])");
  CAF_CHECK_EQUAL(key_of({"acme"}, {{"day", 1}}), R"(["acme", 1])");
  CAF_CHECK_EQUAL(key_of({}, {{"shop", "acme"}, {"day", 1}, {"full", true}}),
                  R"(["acme", 1])");
}

CAF_TEST(of one argument its text and of all with their defaults) {
  define().unique_key("shop");
  CAF_CHECK_EQUAL(key_of({"acme", 1}), "acme");
  registry other;
  other.task("report", report, "shop", "day", "full"_a = false).unique_key();
  auto x = call_of("report");
  x.args = {"acme", 1};
  other.add_unique_headers(x);
  CAF_CHECK_EQUAL(x.headers.at(unique_key_header).as_string(),
                  R"(["acme", 1, false])");
}

CAF_TEST(long keys are hashed and empty ones are keys) {
  define().unique_key("shop");
  auto hash = key_of({std::string(1'000, 'x'), 1});
  CAF_CHECK_EQUAL(hash.size(), 36u);
  CAF_CHECK_NOT_EQUAL(hash, key_of({std::string(1'001, 'x'), 1}));
  CAF_CHECK_NOT_EQUAL(key_of({"", 1}), "");
}

CAF_TEST(how long and until when) {
  define().unique_key().unique_for(90s).unique_until_start();
  auto headers = headers_of({"acme", 1});
  headers["task"] = "report";
  headers["id"] = "1";
  auto terms = read_unique_terms(headers);
  CAF_REQUIRE(terms.has_value());
  CAF_CHECK(terms->held_for == 90s);
  CAF_CHECK(terms->until_start);
}

CAF_TEST(what the caller says goes first and other tasks say nothing) {
  define().unique_key("shop").unique_for(90s);
  auto headers = headers_of({"acme", 1}, {}, {{unique_key_header, "mine"}});
  CAF_CHECK_EQUAL(json::serialize(headers), R"({"unique_key":"mine"})");
  app.task("other", [] {});
  auto x = call_of("other");
  app.add_unique_headers(x);
  CAF_CHECK(x.headers.empty());
}

CAF_TEST(an argument that the task does not have is an error at once) {
  auto refused = [](auto f) {
    try {
      f();
      return false;
    } catch (const std::invalid_argument&) {
      return true;
    }
  };
  auto& x = define();
  CAF_CHECK(refused([&] { x.unique_key("shops"); }));
  CAF_CHECK(refused([&] { x.unique_for(-1s); }));
  CAF_CHECK(app.options().at(0).unique == false);
}

CAF_TEST(whoever sends it from a process that has it need not say so) {
  define().unique_key("shop");
  app.task("starts", [](context& self) {
    self.start({.task = "report", .args = {"acme", 1}});
  });
  app.task("calls", []() -> awaitable<> {
    co_await call<void>("report", "acme", 1);
  });
  auto started = run(call_of("starts", "id-1"));
  CAF_REQUIRE_EQUAL(started.publish.size(), 1u);
  CAF_CHECK_EQUAL(header_of(started.publish[0], "unique_key"), "acme");
  where.document = R"({"status": "SUCCESS", "result": null})";
  run(call_of("calls", "id-2"));
  CAF_REQUIRE_EQUAL(where.calls.size(), 1u);
  CAF_CHECK_EQUAL(header_of(where.calls[0], "unique_key"), "acme");
  // The next step of a chain, with the result before it.
  app.task("shop", [] { return "acme"; });
  auto first = call_of("shop", "id-3");
  first.embed["chain"] = json::array{
      canvas::to_json_value({.task = "report", .args = {1}})};
  auto next = run(first);
  CAF_REQUIRE_EQUAL(next.publish.size(), 1u);
  CAF_CHECK_EQUAL(header_of(next.publish[0], "unique_key"), "acme");
}

CAF_TEST(where the broker keeps no keys nothing is said) {
  define().unique_key("shop");
  settings.keeps_unique_keys = false;
  app.task("starts", [](context& self) {
    self.start({.task = "report", .args = {"acme", 1}});
  });
  auto started = run(call_of("starts", "id-1"));
  CAF_CHECK_EQUAL(header_of(started.publish.at(0), "unique_key"), "");
}

CAF_TEST(functions of the library see each call and may change its headers) {
  app.signals().before_task_publish.connect(
      [](task_call&) { throw exception("KeyError", {"trace"}); });
  app.signals().before_task_publish.connect(
      [](task_call& x) { x.headers["trace"] = "of " + x.task; });
  app.task("starts", [](context& self) { self.start({.task = "later"}); });
  auto started = run(call_of("starts", "id-1"));
  CAF_CHECK(started.kind == outcome_kind::success);
  CAF_CHECK_EQUAL(header_of(started.publish.at(0), "trace"), "of later");
  CAF_REQUIRE(!sink.lines.empty());
}

CAF_TEST_FIXTURE_SCOPE_END()
