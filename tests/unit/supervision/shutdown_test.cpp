// How children are stopped, and what is left when a supervisor ends.
#define CAF_SUITE shutdown

#include "tests/unit/supervision/fixture.hpp"

using namespace umbel;
using namespace umbel::supervision_test;

CAF_TEST_FIXTURE_SCOPE(shutdown_tests, fixture)

CAF_TEST(children are stopped in reverse order with user_shutdown) {
  strings reasons;
  auto a = spec("a");
  a.start = [&, inner = a.start](caf::local_actor* parent, const siblings& xs) {
    auto result = inner(parent, xs);
    result->attach_functor(
        [&](const caf::error& x) { reasons.push_back(describe(x)); });
    return result;
  };
  launch({}, {a, spec("b"), spec("c")});
  news();
  shut_down();
  CAF_CHECK_EQUAL(news(), (strings{"-c", "-b", "-a"}));
  CAF_CHECK_EQUAL(reasons, strings{"user_shutdown"});
  CAF_CHECK_EQUAL(end_of_root(), "user_shutdown");
}

CAF_TEST(the supervisor ends with the reason it was given) {
  launch({}, {spec("a")});
  self->send_exit(root, broken());
  consume_messages();
  CAF_CHECK_EQUAL(end_of_root(), "connection_lost: broken");
}

CAF_TEST(without children it ends at once) {
  launch({}, {});
  CAF_CHECK(is_alive());
  shut_down();
  CAF_CHECK_EQUAL(end_of_root(), "user_shutdown");
}

CAF_TEST(a shutdown before the first start starts nobody) {
  root =
      sys.spawn(supervisor, "root", supervisor_flags{}, std::vector{spec("a")});
  root->attach_functor([this](const caf::error& x) { verdict = x; });
  self->send<caf::message_priority::high>(
      root, caf::exit_msg{self->address(), caf::exit_reason::user_shutdown});
  consume_messages();
  CAF_CHECK_EQUAL(news(), strings{});
  CAF_CHECK_EQUAL(end_of_root(), "user_shutdown");
}

CAF_TEST(a child that does not end in time is killed) {
  launch({}, {spec("a"), stubborn_spec("b"), spec("c")});
  news();
  shut_down();
  CAF_CHECK_EQUAL(news(), strings{"-c"}); // a has to wait
  pass(5s - 1ns);
  CAF_CHECK_EQUAL(news(), strings{});
  pass(1ns);
  CAF_CHECK_EQUAL(news(), (strings{"-b", "-a"}));
  CAF_CHECK_EQUAL(end_of_root(), "user_shutdown");
}

CAF_TEST(every child has its own time limit) {
  auto a = stubborn_spec("a");
  a.shutdown = 2s;
  auto b = stubborn_spec("b");
  b.shutdown = 7s;
  launch({}, {a, b});
  news();
  shut_down();
  pass(7s);
  CAF_CHECK_EQUAL(news(), strings{"-b"});
  pass(2s);
  CAF_CHECK_EQUAL(news(), strings{"-a"});
}

CAF_TEST(a time limit of zero kills at once) {
  auto a = stubborn_spec("a");
  a.shutdown = 0s;
  launch({}, {a});
  news();
  shut_down();
  CAF_CHECK_EQUAL(news(), strings{"-a"});
  CAF_CHECK(!is_alive());
}

CAF_TEST(a time limit of zero asks for nothing first) {
  auto a = spec("a");
  a.shutdown = 0s;
  launch({}, {a});
  caf::error reason;
  handles["a"]->attach_functor([&](const caf::error& x) { reason = x; });
  shut_down();
  CAF_CHECK_EQUAL(describe(reason), "kill");
}

CAF_TEST(a child that cannot be killed is left behind) {
  launch({}, {spec("a"), deaf_spec("b")});
  news();
  shut_down();
  pass(5s);
  CAF_CHECK_EQUAL(news(), strings{});
  pass(supervisor_state::kill_patience);
  CAF_CHECK_EQUAL(news(), strings{"-a"});
  CAF_CHECK_EQUAL(end_of_root(), "user_shutdown");
}

CAF_TEST(a group restart goes on without a child that cannot be killed) {
  launch({strategy::one_for_all, {}, {}}, {spec("a"), deaf_spec("b")});
  news();
  crash("a");
  pass(5s);
  pass(supervisor_state::kill_patience);
  CAF_CHECK_EQUAL(news(), (strings{"-a", "+a", "+b"}));
  auto infos = which_children();
  CAF_REQUIRE_EQUAL(infos.size(), 2u);
  CAF_CHECK_EQUAL(infos[1].last_reason, "stuck");
}

CAF_TEST(a child that crashes during the shutdown is not restarted) {
  launch({strategy::one_for_one, {10, 5s}, {}},
         {spec("a"), spec("b"), stubborn_spec("c")});
  news();
  shut_down(); // waits for c
  end("c", caf::exit_reason::kill);
  CAF_CHECK_EQUAL(news(), (strings{"-c", "-b", "-a"}));
  CAF_CHECK_EQUAL(end_of_root(), "user_shutdown");
}

CAF_TEST(a child whose turn has not come may crash during the shutdown) {
  launch({strategy::one_for_all, {10, 5s}, {}},
         {spec("a"), spec("b"), stubborn_spec("c")});
  news();
  shut_down();
  crash("b");
  CAF_CHECK_EQUAL(news(), strings{"-b"});
  pass(5s);
  CAF_CHECK_EQUAL(news(), (strings{"-c", "-a"}));
  CAF_CHECK_EQUAL(end_of_root(), "user_shutdown");
}

CAF_TEST(a shutdown during a group restart starts nobody again) {
  launch({strategy::one_for_all, {}, {}}, {spec("a"), stubborn_spec("b")});
  news();
  crash("a");
  shut_down();
  pass(5s);
  CAF_CHECK_EQUAL(news(), (strings{"-a", "-b"}));
  CAF_CHECK_EQUAL(end_of_root(), "user_shutdown");
}

CAF_TEST(the first reason for a shutdown counts) {
  launch({}, {stubborn_spec("a")});
  shut_down();
  self->send_exit(root, broken());
  consume_messages();
  pass(5s);
  CAF_CHECK_EQUAL(end_of_root(), "user_shutdown");
}

CAF_TEST(the normal end of a linked actor is not an order) {
  launch({}, {spec("a")});
  self->send_exit(root, caf::none);
  consume_messages();
  CAF_CHECK(is_alive());
}

CAF_TEST(a supervisor that is killed takes its whole tree with it) {
  launch({},
         {spec("a"), subtree("inner", {}, {stubborn_spec("b"), spec("c")})});
  news();
  self->send_exit(root, caf::exit_reason::kill);
  consume_messages();
  CAF_CHECK_EQUAL(end_of_root(), "kill");
  auto lines = news();
  std::sort(lines.begin(), lines.end());
  CAF_CHECK_EQUAL(lines, (strings{"-a", "-b", "-c"}));
}

CAF_TEST(a supervisor in a tree may take as long as its children) {
  launch({}, {spec("a"),
              subtree("inner", {}, {stubborn_spec("b"), stubborn_spec("c")})});
  news();
  shut_down();
  pass(5s);
  CAF_CHECK_EQUAL(news(), strings{"-c"});
  pass(5s);
  CAF_CHECK_EQUAL(news(), (strings{"-b", "-a"}));
  CAF_CHECK_EQUAL(end_of_root(), "user_shutdown");
}

CAF_TEST_FIXTURE_SCOPE_END()
