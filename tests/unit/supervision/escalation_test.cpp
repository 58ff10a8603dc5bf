// Failures that a supervisor does not repair but hands up the tree.
#define CAF_SUITE escalation

#include "tests/unit/supervision/fixture.hpp"

using namespace umbel;
using namespace umbel::supervision_test;

namespace {

constexpr auto one_for_one = strategy::one_for_one;

} // namespace

CAF_TEST_FIXTURE_SCOPE(escalation_tests, fixture)

CAF_TEST(the parent restarts a supervisor that gave up) {
  launch({one_for_one, {1, 5s}, {}},
         {spec("a"), subtree("inner", {one_for_one, {0, 5s}, {}},
                             {spec("b"), spec("c")})});
  CAF_CHECK_EQUAL(news(), (strings{"+a", "+b", "+c"}));
  crash("b");
  CAF_CHECK_EQUAL(news(), (strings{"-b", "-c", "+b", "+c"}));
  auto infos = which_children();
  CAF_REQUIRE_EQUAL(infos.size(), 2u);
  CAF_CHECK_EQUAL(infos[1].kind, child_type::supervisor);
  CAF_CHECK_EQUAL(infos[1].restarts, 1u);
}

CAF_TEST(a failure that persists climbs to the root) {
  launch({one_for_one, {1, 5s}, {}},
         {spec("a"),
          subtree("middle", {one_for_one, {0, 5s}, {}},
                  {spec("b"), subtree("inner", {one_for_one, {0, 5s}, {}},
                                      {spec("c")})})});
  news();
  crash("c");
  CAF_CHECK_EQUAL(news(), (strings{"-c", "-b", "+b", "+c"}));
  crash("c");
  CAF_CHECK_EQUAL(news(), (strings{"-c", "-b", "-a"}));
  CAF_REQUIRE(verdict);
  CAF_CHECK(*verdict == supervision_errc::intensity_exceeded);
  // It names the way down to the first failure.
  auto text = end_of_root();
  for (auto part : {"root", "middle", "inner", "c ended", "broken"})
    CAF_CHECK(text.find(part) != std::string::npos);
}

CAF_TEST(a fatal end is never restarted and reaches the root unchanged) {
  launch({one_for_one, {100, 5s}, {}},
         {spec("a"), subtree("inner", {one_for_one, {100, 5s}, {}},
                             {spec("b"), spec("c")})});
  news();
  end("b", make_fatal("task library ./libtasks.so cannot be loaded"));
  CAF_CHECK_EQUAL(news(), (strings{"-b", "-c", "-a"}));
  CAF_REQUIRE(verdict);
  CAF_CHECK(*verdict == supervision_errc::fatal);
  CAF_CHECK_EQUAL(end_of_root(), "task library ./libtasks.so cannot be loaded");
}

CAF_TEST(a fatal end of a temporary child is fatal too) {
  launch({}, {spec("a", restart::temporary), spec("b")});
  end("a", make_fatal("no"));
  CAF_CHECK_EQUAL(end_of_root(), "no");
}

CAF_TEST(a fatal end while the group is stopped is fatal too) {
  launch({strategy::one_for_all, {100, 5s}, {}},
         {spec("a"), spec("b"), stubborn_spec("c")});
  crash("a"); // waits for c
  news();
  end("b", make_fatal("no"));
  pass(5s);
  CAF_CHECK_EQUAL(news(), (strings{"-b", "-c"}));
  CAF_CHECK_EQUAL(end_of_root(), "no");
}

CAF_TEST(a fatal end during an ordered shutdown does not change its reason) {
  launch({}, {spec("a"), stubborn_spec("b")});
  shut_down();
  end("a", make_fatal("no"));
  pass(5s);
  CAF_CHECK_EQUAL(end_of_root(), "user_shutdown");
}

CAF_TEST(two children with one id are a fatal mistake) {
  launch({}, {spec("a"), spec("a")});
  CAF_CHECK_EQUAL(news(), strings{});
  CAF_CHECK_EQUAL(end_of_root(), "supervisor root has two children called a");
}

CAF_TEST_FIXTURE_SCOPE_END()
