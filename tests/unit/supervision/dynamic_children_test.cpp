// Requests to a running supervisor.
#define CAF_SUITE dynamic_children

#include "tests/unit/supervision/fixture.hpp"

using namespace umbel;
using namespace umbel::supervision_test;

CAF_TEST_FIXTURE_SCOPE(dynamic_children_tests, fixture)

CAF_TEST(which_children tells the story of each child) {
  launch({strategy::one_for_one, {1, 5s}, {}},
         {spec("a"), spec("b", restart::transient),
          subtree("inner", {}, {spec("c")})});
  crash("a");
  end("b", caf::exit_reason::user_shutdown);
  auto expected = std::vector<child_info>{
      {"a", true, 1, "connection_lost: broken", child_type::worker},
      {"b", false, 0, "user_shutdown", child_type::worker},
      {"inner", true, 0, "", child_type::supervisor},
  };
  CAF_CHECK_EQUAL(which_children(), expected);
}

CAF_TEST(count_children counts) {
  launch({}, {spec("a"), spec("b", restart::transient),
              subtree("inner", {}, {spec("c")})});
  end("b", caf::exit_reason::user_shutdown);
  CAF_CHECK_EQUAL(ask<child_counts>(count_children_atom::value),
                  (child_counts{3, 2, 1, 2}));
}

CAF_TEST(a child that is added is supervised like the others) {
  launch({}, {spec("a")});
  auto b = ask<caf::actor>(start_child_atom::value, spec("b"));
  CAF_CHECK_EQUAL(b, handles["b"]);
  CAF_CHECK_EQUAL(news(), (strings{"+a", "+b"}));
  crash("b");
  CAF_CHECK_EQUAL(news(), (strings{"-b", "+b"}));
  shut_down();
  CAF_CHECK_EQUAL(news(), (strings{"-b", "-a"}));
}

CAF_TEST(an id can be taken once) {
  launch({}, {spec("a")});
  news();
  ask<caf::actor>(start_child_atom::value, spec("a"));
  CAF_CHECK_EQUAL(refusal, "already_present");
  CAF_CHECK_EQUAL(news(), strings{});
}

CAF_TEST(a child that cannot be started is not added) {
  launch({strategy::one_for_one, {0, 5s}, {}}, {spec("a")});
  failing_starts = 1;
  ask<caf::actor>(start_child_atom::value, spec("b"));
  CAF_CHECK_EQUAL(refusal, "start_failed: no luck");
  CAF_CHECK(is_alive());
  CAF_CHECK_EQUAL(which_children().size(), 1u);
}

CAF_TEST(a child that is added during a group restart waits for it) {
  launch({strategy::one_for_all, {1, 5s}, {1s, 1s}}, {spec("a")});
  crash("a");
  news();
  auto response =
      self->request(root, caf::infinite, start_child_atom::value, spec("b"));
  consume_messages();
  CAF_CHECK_EQUAL(news(), strings{});
  pass(1s);
  CAF_CHECK_EQUAL(news(), (strings{"+a", "+b"}));
  response.receive([&](caf::actor& x) { CAF_CHECK_EQUAL(x, handles["b"]); },
                   [](caf::error& x) { CAF_FAIL(describe(x)); });
}

CAF_TEST(a child that waits to be started is refused by a shutdown) {
  launch({strategy::one_for_all, {1, 5s}, {1s, 1s}}, {spec("a")});
  crash("a");
  auto response =
      self->request(root, caf::infinite, start_child_atom::value, spec("b"));
  consume_messages();
  shut_down();
  response.receive(
      [](caf::actor&) { CAF_FAIL("started"); },
      [](caf::error& x) { CAF_CHECK_EQUAL(describe(x), "shutting_down"); });
}

CAF_TEST(a child that is terminated in a group restart is not started again) {
  launch({strategy::one_for_all, {1, 5s}, {}}, {spec("a"), stubborn_spec("b")});
  news();
  crash("a");
  self->send(root, terminate_child_atom::value, std::string{"b"});
  pass(5s);
  CAF_CHECK_EQUAL(news(), (strings{"-a", "-b", "+a"}));
}

CAF_TEST(a terminated child stays away until it is deleted) {
  launch({}, {spec("a"), spec("b")});
  news();
  order(delete_child_atom::value, std::string{"b"});
  CAF_CHECK_EQUAL(refusal, "still_running");
  order(terminate_child_atom::value, std::string{"b"});
  CAF_CHECK_EQUAL(refusal, "");
  CAF_CHECK_EQUAL(news(), strings{"-b"});
  CAF_CHECK_EQUAL(which_children().size(), 2u);
  order(delete_child_atom::value, std::string{"b"});
  CAF_CHECK_EQUAL(refusal, "");
  CAF_CHECK_EQUAL(which_children().size(), 1u);
  order(delete_child_atom::value, std::string{"b"});
  CAF_CHECK_EQUAL(refusal, "not_found");
  order(terminate_child_atom::value, std::string{"b"});
  CAF_CHECK_EQUAL(refusal, "not_found");
}

CAF_TEST(terminating a temporary child forgets it) {
  launch({}, {spec("a", restart::temporary)});
  order(terminate_child_atom::value, std::string{"a"});
  CAF_CHECK_EQUAL(refusal, "");
  CAF_CHECK_EQUAL(which_children().size(), 0u);
}

CAF_TEST(the answer to a termination comes when the child is gone) {
  launch({}, {stubborn_spec("a")});
  news();
  size_t answers = 0;
  auto count = [&] { ++answers; };
  auto fail = [](caf::error& x) { CAF_FAIL(describe(x)); };
  auto ask_once = [&] {
    return self->request(root, caf::infinite, terminate_child_atom::value,
                         std::string{"a"});
  };
  auto first = ask_once();
  auto second = ask_once();
  consume_messages();
  CAF_CHECK(self->mailbox().empty());
  pass(5s);
  CAF_CHECK_EQUAL(news(), strings{"-a"});
  first.receive(count, fail);
  second.receive(count, fail);
  CAF_CHECK_EQUAL(answers, 2u);
}

CAF_TEST(a child can be terminated while it waits for its restart) {
  launch({strategy::one_for_one, {1, 5s}, {1s, 1s}}, {spec("a")});
  crash("a");
  order(terminate_child_atom::value, std::string{"a"});
  CAF_CHECK_EQUAL(refusal, "");
  news();
  pass(1s);
  CAF_CHECK_EQUAL(news(), strings{});
}

CAF_TEST(a supervisor that shuts down takes no children) {
  launch({}, {stubborn_spec("a")});
  shut_down();
  ask<caf::actor>(start_child_atom::value, spec("b"));
  CAF_CHECK_EQUAL(refusal, "shutting_down");
}

CAF_TEST_FIXTURE_SCOPE_END()
