// Which children are started again, when, and with whom.
#define CAF_SUITE restart

#include "tests/unit/supervision/fixture.hpp"

using namespace umbel;
using namespace umbel::supervision_test;

namespace {

supervisor_flags flags(strategy how, size_t max_restarts = 10) {
  return {how, {max_restarts, 5s}, {}};
}

supervisor_flags with_backoff(strategy how) {
  return {how, {10, 1min}, {1s, 4s}};
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(restart_tests, fixture)

// -- strategies ---------------------------------------------------------------

CAF_TEST(children are started in order and see those before them) {
  launch(flags(strategy::one_for_one), {spec("a"), spec("b"), spec("c")});
  CAF_CHECK_EQUAL(news(), (strings{"+a", "+b", "+c"}));
  CAF_CHECK_EQUAL(seen, (strings{"a", "b"}));
}

CAF_TEST(one for one restarts the failed child alone) {
  launch(flags(strategy::one_for_one), {spec("a"), spec("b"), spec("c")});
  news();
  crash("b");
  CAF_CHECK_EQUAL(news(), (strings{"-b", "+b"}));
  CAF_CHECK_EQUAL(seen, strings{"a"});
}

CAF_TEST(one for all stops the others in reverse and starts all in order) {
  launch(flags(strategy::one_for_all), {spec("a"), spec("b"), spec("c")});
  news();
  crash("b");
  CAF_CHECK_EQUAL(news(), (strings{"-b", "-c", "-a", "+a", "+b", "+c"}));
}

CAF_TEST(rest for one restarts the failed child and those after it) {
  launch(flags(strategy::rest_for_one),
         {spec("a"), spec("b"), spec("c"), spec("d")});
  news();
  crash("b");
  CAF_CHECK_EQUAL(news(), (strings{"-b", "-d", "-c", "+b", "+c", "+d"}));
  crash("d");
  CAF_CHECK_EQUAL(news(), (strings{"-d", "+d"}));
  crash("a");
  CAF_CHECK_EQUAL(news(), (strings{"-a", "-d", "-c", "-b", //
                                   "+a", "+b", "+c", "+d"}));
}

CAF_TEST(a restarted child is given the fresh handles of its siblings) {
  caf::actor shown;
  auto b = spec("b");
  b.start = [&, inner = b.start](caf::local_actor* parent, const siblings& xs) {
    shown = xs.get("a");
    CAF_CHECK(!xs.get("b"));
    CAF_CHECK(!xs.get("nobody"));
    return inner(parent, xs);
  };
  launch(flags(strategy::rest_for_one), {spec("a"), b});
  auto first = handles["a"];
  CAF_CHECK_EQUAL(shown, first);
  crash("a");
  CAF_CHECK_NOT_EQUAL(handles["a"], first);
  CAF_CHECK_EQUAL(shown, handles["a"]);
}

// -- restart types ------------------------------------------------------------

CAF_TEST(a permanent child is restarted after any end) {
  launch(flags(strategy::one_for_one), {spec("a", restart::permanent)});
  news();
  end("a", caf::exit_reason::user_shutdown);
  CAF_CHECK_EQUAL(news(), (strings{"-a", "+a"}));
  end("a", caf::exit_reason::kill);
  CAF_CHECK_EQUAL(news(), (strings{"-a", "+a"}));
}

CAF_TEST(a transient child is restarted after an abnormal end alone) {
  launch(flags(strategy::one_for_one),
         {spec("a", restart::transient), spec("b", restart::transient)});
  news();
  crash("a");
  CAF_CHECK_EQUAL(news(), (strings{"-a", "+a"}));
  end("b", caf::exit_reason::user_shutdown);
  CAF_CHECK_EQUAL(news(), strings{"-b"});
  CAF_CHECK_EQUAL(which_children().size(), 2u);
}

CAF_TEST(a temporary child is never restarted and its spec is forgotten) {
  launch(flags(strategy::one_for_one),
         {spec("a"), spec("b", restart::temporary)});
  news();
  crash("b");
  CAF_CHECK_EQUAL(news(), strings{"-b"});
  CAF_CHECK_EQUAL(which_children().size(), 1u);
}

CAF_TEST(a group restart revives transient siblings and drops temporary ones) {
  launch(flags(strategy::one_for_all),
         {spec("a"), spec("b", restart::transient),
          spec("c", restart::temporary)});
  end("b", caf::exit_reason::user_shutdown);
  news();
  crash("a");
  CAF_CHECK_EQUAL(news(), (strings{"-a", "-c", "+a", "+b"}));
  CAF_CHECK_EQUAL(which_children().size(), 2u);
}

// -- failed starts ------------------------------------------------------------

CAF_TEST(a start function that throws is a crash) {
  failing_starts = 2;
  launch(flags(strategy::one_for_one), {spec("a"), spec("b")});
  CAF_CHECK_EQUAL(news(), (strings{"!a", "!a", "+a", "+b"}));
  auto infos = which_children();
  CAF_REQUIRE_EQUAL(infos.size(), 2u);
  CAF_CHECK_EQUAL(infos[0].last_reason, "start_failed: no luck");
  CAF_CHECK_EQUAL(infos[0].restarts, 2u);
  CAF_CHECK_EQUAL(infos[1].restarts, 0u);
}

CAF_TEST(a start function that returns no actor is a crash) {
  auto a = spec("a");
  a.start = [](caf::local_actor*, const siblings&) { return caf::actor{}; };
  launch(flags(strategy::one_for_one, 2), {a});
  CAF_CHECK_EQUAL(
      end_of_root(),
      "intensity_exceeded: supervisor root may restart 2 times within 5 s; "
      "this "
      "would be number 3: a ended (start_failed: no actor came back)");
}

CAF_TEST(a start function that is missing is a crash) {
  launch(flags(strategy::one_for_one, 0), {child_spec{"a", nullptr}});
  CAF_CHECK(!is_alive());
}

CAF_TEST(a start that fails during a group restart begins it again) {
  launch(flags(strategy::one_for_all), {spec("a"), spec("b"), spec("c")});
  news();
  auto& st = deref<caf::stateful_actor<supervisor_state>>(root).state;
  auto& b = st.children[1].spec;
  b.start = [&, once = true, inner = b.start](caf::local_actor* parent,
                                              const siblings& xs) mutable {
    failing_starts = std::exchange(once, false);
    return inner(parent, xs);
  };
  crash("c");
  CAF_CHECK_EQUAL(news(), (strings{"-c", "-b", "-a", "+a", "!b", "-a", //
                                   "+a", "+b", "+c"}));
}

// -- crashes that coincide ----------------------------------------------------

CAF_TEST(a sibling that crashes while its group is stopped is restarted once) {
  launch(flags(strategy::one_for_all, 1), {spec("a"), spec("b"), spec("c")});
  news();
  // All three end before the supervisor hears of the first.
  for (auto id : {"a", "c", "b"})
    self->send_exit(handles[id], broken());
  consume_messages();
  auto lines = news();
  CAF_REQUIRE_EQUAL(lines.size(), 6u);
  CAF_CHECK_EQUAL((strings{lines.begin() + 3, lines.end()}),
                  (strings{"+a", "+b", "+c"}));
  CAF_CHECK(is_alive());
}

CAF_TEST(an earlier sibling that crashes during a restart widens it) {
  launch(flags(strategy::rest_for_one),
         {spec("a"), spec("b"), stubborn_spec("c")});
  news();
  crash("b"); // c has to be waited for
  CAF_CHECK_EQUAL(news(), strings{"-b"});
  crash("a");
  CAF_CHECK_EQUAL(news(), strings{"-a"});
  pass(5s);
  CAF_CHECK_EQUAL(news(), (strings{"-c", "+a", "+b", "+c"}));
}

// -- backoff ------------------------------------------------------------------

CAF_TEST(restarts in a row wait longer and longer) {
  launch(with_backoff(strategy::one_for_one), {spec("a")});
  news();
  for (auto delay : {1s, 2s, 4s, 4s}) {
    crash("a");
    pass(delay - 1ns);
    CAF_CHECK_EQUAL(news(), strings{"-a"});
    pass(1ns);
    CAF_CHECK_EQUAL(news(), strings{"+a"});
  }
}

CAF_TEST(a long life resets the backoff) {
  launch(with_backoff(strategy::one_for_one), {spec("a")});
  crash("a");
  pass(1s);
  crash("a");
  pass(2s);
  pass(4s + 1ns); // longer than the maximum
  news();
  crash("a");
  pass(1s);
  CAF_CHECK_EQUAL(news(), (strings{"-a", "+a"}));
}

CAF_TEST(in one for one a sibling does not wait for the backoff of another) {
  launch(with_backoff(strategy::one_for_one), {spec("a"), spec("b")});
  news();
  crash("a");
  pass(500ms);
  crash("b");
  pass(500ms);
  CAF_CHECK_EQUAL(news(), (strings{"-a", "-b", "+a"}));
  pass(500ms);
  CAF_CHECK_EQUAL(news(), strings{"+b"});
}

CAF_TEST(a child does not see a sibling that waits for its restart) {
  launch(with_backoff(strategy::one_for_one), {spec("a"), spec("b")});
  crash("a");
  pass(1s);
  crash("b"); // its first: 1 s
  pass(500ms);
  crash("a"); // its second in a row: 2 s
  CAF_CHECK_EQUAL(seen, strings{});
  seen = {"?"};
  pass(500ms);
  CAF_CHECK_EQUAL(seen, strings{}); // what b saw
}

CAF_TEST(the time that a group takes to stop is not time lived) {
  auto b = stubborn_spec("b");
  b.shutdown = 6s;
  launch(with_backoff(strategy::one_for_all), {spec("a"), b});
  crash("a");
  pass(6s); // longer than the maximum of the backoff
  news();
  crash("a"); // at once: the second in a row
  end("b", caf::exit_reason::kill);
  CAF_CHECK_EQUAL(news(), (strings{"-a", "-b"}));
  pass(1s);
  CAF_CHECK_EQUAL(news(), strings{});
  pass(1s);
  CAF_CHECK_EQUAL(news(), (strings{"+a", "+b"}));
}

CAF_TEST(a group waits for its slowest member) {
  launch(with_backoff(strategy::one_for_all), {spec("a"), spec("b")});
  crash("b");
  pass(1s);
  news();
  crash("b"); // its second in a row: 2 s
  CAF_CHECK_EQUAL(news(), (strings{"-b", "-a"}));
  pass(2s - 1ns);
  CAF_CHECK_EQUAL(news(), strings{});
  pass(1ns);
  CAF_CHECK_EQUAL(news(), (strings{"+a", "+b"}));
}

CAF_TEST(a supervisor in backoff obeys a shutdown at once) {
  launch(with_backoff(strategy::one_for_one), {spec("a"), spec("b")});
  news();
  crash("a");
  shut_down();
  CAF_CHECK_EQUAL(news(), (strings{"-a", "-b"}));
  CAF_CHECK_EQUAL(end_of_root(), "user_shutdown");
  pass(1s); // the timer finds nobody
  CAF_CHECK_EQUAL(news(), strings{});
}

// -- intensity ----------------------------------------------------------------

CAF_TEST(exactly max restarts happen and one more makes it give up) {
  launch(flags(strategy::one_for_one, 2), {spec("a"), spec("b"), spec("c")});
  crash("a");
  crash("b");
  CAF_CHECK(is_alive());
  news();
  crash("b");
  CAF_CHECK_EQUAL(news(), (strings{"-b", "-c", "-a"}));
  CAF_CHECK_EQUAL(end_of_root(),
                  "intensity_exceeded: supervisor root may restart 2 times "
                  "within 5 s; this "
                  "would be number 3: b ended (connection_lost: broken)");
}

CAF_TEST(restarts older than the period are forgiven) {
  launch(flags(strategy::one_for_one, 2), {spec("a")});
  crash("a");
  pass(3s);
  crash("a");
  pass(2s + 1ns);
  crash("a"); // the first is out of the window
  CAF_CHECK(is_alive());
  pass(1s);
  crash("a"); // three within 3 s
  CAF_CHECK(!is_alive());
}

CAF_TEST(a restart of a whole group counts once) {
  launch(flags(strategy::one_for_all, 2), {spec("a"), spec("b"), spec("c")});
  crash("a");
  crash("c");
  CAF_CHECK(is_alive());
  crash("a");
  CAF_CHECK(!is_alive());
}

CAF_TEST_FIXTURE_SCOPE_END()
