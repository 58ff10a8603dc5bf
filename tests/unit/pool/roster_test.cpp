#define CAF_SUITE roster

#include "actors/pool/roster.hpp"

#include "tests/unit/dsl.hpp"

using umbel::roster;
using role = umbel::roster::role;

namespace {

struct fixture {
  roster uut;

  /// A member that is due and has a ready successor.
  void prepare(uint64_t id, uint64_t successor) {
    uut[id].wants_successor = true;
    uut[id].due = "it is old";
    uut.add_successor(successor, id);
    uut[successor].ready = true;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(roster_tests, fixture)

CAF_TEST(successors have no place) {
  uut.add_member(1);
  uut.add_successor(2, 1);
  CAF_CHECK_EQUAL(uut.members(), 1u);
  CAF_CHECK_EQUAL(uut.size(), 2u);
}

CAF_TEST(a successor takes over when it is ready and the other due) {
  uut.add_member(1);
  prepare(1, 2);
  uut[2].ready = false;
  CAF_CHECK(!uut.hand_over(1));
  uut[2].ready = true;
  uut[1].due.clear();
  CAF_CHECK(!uut.hand_over(1));
  uut[1].due = "it is old";
  CAF_CHECK(uut.hand_over(1) == uint64_t{2});
  CAF_CHECK(uut[1].as == role::leaving);
  CAF_CHECK(uut[2].as == role::member);
  CAF_CHECK_EQUAL(uut.members(), 1u);
  CAF_CHECK(!uut.hand_over(1));
}

CAF_TEST(each member has one successor at most) {
  uut.add_member(1);
  CAF_CHECK(!uut.next_vacancy());
  uut[1].wants_successor = true;
  CAF_CHECK(uut.next_vacancy() == uint64_t{1});
  uut.add_successor(2, 1);
  CAF_CHECK(!uut.next_vacancy());
  uut.remove(2);
  CAF_CHECK(uut.next_vacancy() == uint64_t{1});
}

CAF_TEST(there are never more than twice as many children and two) {
  uut.add_member(1);
  uint64_t last = 1;
  for (; uut.size() < 4; ++last) {
    prepare(last, last + 1);
    uut.hand_over(last);
  }
  uut[last].wants_successor = true;
  CAF_CHECK(!uut.next_vacancy());
  uut.remove(1);
  CAF_CHECK(uut.next_vacancy() == last);
}

CAF_TEST(the successor of one that dies has its place) {
  uut.add_member(1);
  uut.add_successor(2, 1);
  auto gone = uut.remove(1);
  CAF_CHECK(gone.heir == uint64_t{2});
  CAF_CHECK(uut[2].as == role::member);
  CAF_CHECK_EQUAL(uut[2].partner, 0u);
  CAF_CHECK_EQUAL(uut.members(), 1u);
}

CAF_TEST(a member that dies without one leaves a vacancy) {
  uut.add_member(1);
  auto gone = uut.remove(1);
  CAF_CHECK(!gone.heir);
  CAF_CHECK(gone.last.as == role::member);
  CAF_CHECK_EQUAL(uut.members(), 0u);
}

CAF_TEST(one that is retired takes its successor with it) {
  uut.add_member(1);
  uut.add_successor(2, 1);
  CAF_CHECK(uut.retire(1) == uint64_t{2});
  CAF_CHECK(uut[2].as == role::leaving);
  CAF_CHECK_EQUAL(uut.members(), 0u);
  CAF_CHECK(!uut.remove(1).heir);
  CAF_CHECK(!uut.remove(2).heir);
}

CAF_TEST_FIXTURE_SCOPE_END()
