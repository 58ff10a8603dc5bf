#define CAF_SUITE event_view

#include "apps/remote/event_view.hpp"

#include "tests/unit/dsl.hpp"

using namespace umbel;
using namespace std::chrono_literals;

namespace {

const timestamp start{1'000'000s};

struct fixture {
  fixture() {
    tell("worker-heartbeat", {{"freq", 2.0}, {"active", 1}}, "celery@a");
    tell("worker-offline", {}, "celery@b");
    for (auto id : {"1", "2", "3"})
      tell("task-received", {{"uuid", id}, {"name", "tasks.add"},
                             {"args", "(4, 4)"}});
    tell("task-failed", {{"uuid", "1"}, {"exception", "Boom()"},
                         {"traceback", "line 1\nline 2"}});
  }

  void tell(const char* type, json::object fields,
            const char* node = "celery@a") {
    event x;
    x.type = type;
    x.node = node_name{node};
    x.fields = std::move(fields);
    cluster.apply(x, start);
  }

  std::vector<view_line> lines(size_t width = 120, size_t height = 30) {
    auto result = view.lines(cluster, {"redis://x", {}, false, 0}, width,
                             height, start);
    CAF_CHECK_EQUAL(result.size(), height);
    return result;
  }

  std::string text() {
    std::string result;
    for (auto& x : lines())
      result += x.text + '\n';
    return result;
  }

  bool shows(const std::string& what) {
    return text().find(what) != std::string::npos;
  }

  std::string selected() {
    for (auto& x : lines())
      if (x.style == line_style::selected)
        return x.text;
    return {};
  }

  std::optional<view_action> press(int key) {
    return view.on_key(key, cluster);
  }

  cluster_state cluster;
  event_view view;
};

bool has(const std::string& text, const std::string& what) {
  return text.find(what) != std::string::npos;
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(event_view_tests, fixture)

CAF_TEST(workers and tasks) {
  CAF_CHECK(shows("workers 1/2 online"));
  CAF_CHECK(shows("received 3  succeeded 0  failed 1"));
  auto all = lines();
  auto line = [&](const char* what) {
    for (auto& x : all)
      if (has(x.text, what))
        return x.style;
    return line_style::title;
  };
  CAF_CHECK(line("celery@b") == line_style::bad);
  CAF_CHECK(has(selected(), "FAILURE")); // heard last, hence the first
}

CAF_TEST(moving) {
  lines();
  press('j');
  CAF_CHECK(has(selected(), " 3 "));
  press(key_down);
  CAF_CHECK(has(selected(), " 2 "));
  press(key_down);
  CAF_CHECK(has(selected(), " 2 "));
  press(key_first);
  CAF_CHECK(has(selected(), "FAILURE"));
  // What is selected stays so, wherever it stands.
  tell("task-received", {{"uuid", "4"}});
  CAF_CHECK(has(selected(), "FAILURE"));
  press('w');
  CAF_CHECK(has(selected(), "celery@a"));
  press('j');
  CAF_CHECK(has(selected(), "celery@b"));
}

CAF_TEST(details) {
  lines();
  CAF_CHECK(!press('i'));
  CAF_CHECK(shows("args           (4, 4)"));
  press('t');
  CAF_CHECK(shows("TRACEBACK\nline 1\nline 2\n"));
  press('r');
  CAF_CHECK(shows("RESULT\nBoom()\n"));
  press('r');
  CAF_CHECK(!shows("RESULT"));
  view.page("TITLE", "one\ntwo");
  CAF_CHECK(shows("TITLE\none\ntwo\n"));
  press(key_escape);
  CAF_CHECK(!shows("TITLE"));
}

CAF_TEST(what is dangerous is asked for) {
  lines();
  CAF_CHECK(!press('c'));
  CAF_CHECK(shows("Revoke task 1? (y/n)"));
  CAF_CHECK(!press('n'));
  CAF_CHECK(shows("nothing was done"));
  press('c');
  auto action = press('y');
  CAF_REQUIRE(action.has_value());
  CAF_CHECK(action->kind == view_action::revoke);
  CAF_CHECK_EQUAL(action->subject, "1");
  press('x');
  CAF_CHECK(press('y')->kind == view_action::terminate);
  press('d');
  CAF_CHECK(press('y')->kind == view_action::disable_events);
  CAF_CHECK(press('e')->kind == view_action::enable_events);
  CAF_CHECK(press('p')->kind == view_action::pause);
  CAF_CHECK(press('q')->kind == view_action::quit);
}

CAF_TEST(a rate is typed) {
  lines();
  press('l');
  for (auto key : {int{'1'}, int{'q'}, int{key_backspace}, int{'/'}, int{'s'}})
    CAF_CHECK(!press(key));
  CAF_CHECK(shows("Rate limit of tasks.add (10/s, 100/m, 0: none): 1/s"));
  auto action = press(key_enter);
  CAF_REQUIRE(action.has_value());
  CAF_CHECK(action->kind == view_action::rate_limit);
  CAF_CHECK_EQUAL(action->subject, "tasks.add");
  CAF_CHECK_EQUAL(action->text, "1/s");
  press('l');
  CAF_CHECK(!press(key_enter)); // nothing was typed
  CAF_CHECK(shows("nothing was done"));
}

CAF_TEST(a worker is inspected) {
  lines();
  press(key_tab);
  auto action = press(key_enter);
  CAF_REQUIRE(action.has_value());
  CAF_CHECK(action->kind == view_action::inspect);
  CAF_CHECK_EQUAL(action->subject, "celery@a");
}

CAF_TEST(screens of any size) {
  for (auto keys : {"", "i", "t"}) {
    for (auto key = keys; *key != '\0'; ++key)
      press(*key);
    for (size_t height : {0u, 1u, 2u, 5u, 7u, 10u, 200u})
      for (size_t width : {0u, 1u, 20u, 300u})
        for (auto& x : lines(width, height))
          CAF_CHECK(x.text.size() <= width);
  }
}

CAF_TEST(nothing is known) {
  cluster_state none;
  event_view empty;
  for (auto key : "jkirtcxlwe")
    empty.on_key(key, none);
  CAF_CHECK_EQUAL(empty.lines(none, {}, 80, 24, start).size(), 24u);
}

CAF_TEST_FIXTURE_SCOPE_END()
