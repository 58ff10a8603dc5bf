#define CAF_SUITE membership

#include "protocol/control/membership.hpp"

#include "tests/unit/dsl.hpp"

using namespace umbel;
using namespace std::chrono_literals;

namespace {

using kind = worker_event::kind;
using change = membership::change;

struct fixture {
  membership uut;
  membership::time_point now{};

  change hear(kind what, const char* who, int64_t pid = 1) {
    worker_event x;
    x.what = what;
    x.hostname = who;
    x.pid = pid;
    return uut.hear(x, now);
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(membership_tests, fixture)

CAF_TEST(nodes join by their first word and leave by their last) {
  CAF_CHECK(hear(kind::online, "a") == change::joined);
  CAF_CHECK(hear(kind::heartbeat, "a") == change::none);
  CAF_CHECK(hear(kind::heartbeat, "b") == change::joined);
  CAF_CHECK_EQUAL(uut.size(), 2u);
  CAF_CHECK(hear(kind::offline, "a") == change::left);
  CAF_CHECK(hear(kind::offline, "a") == change::none);
  CAF_CHECK(!uut.contains("a"));
  CAF_CHECK(hear(kind::elect, "c") == change::none);
  CAF_CHECK_EQUAL(uut.size(), 1u);
}

CAF_TEST(who is silent for two intervals is lost) {
  hear(kind::online, "a");
  now += 3s;
  hear(kind::online, "b");
  CAF_CHECK(uut.lose(now).empty());
  now += 1s;
  auto lost = uut.lose(now);
  CAF_REQUIRE_EQUAL(lost.size(), 1u);
  CAF_CHECK_EQUAL(lost[0], "a");
  CAF_CHECK(uut.lose(now).empty());
  CAF_CHECK(hear(kind::heartbeat, "a") == change::joined);
}

CAF_TEST(a pause of this node loses nobody) {
  hear(kind::online, "a");
  now += 60s;
  uut.excuse(60s);
  CAF_CHECK(uut.lose(now).empty());
  now += 4s;
  CAF_CHECK_EQUAL(uut.lose(now).size(), 1u);
}

CAF_TEST(a new process under the same name) {
  hear(kind::online, "a", 1);
  CAF_CHECK(hear(kind::online, "a", 2) == change::replaced);
  // The first one was only slow to leave.
  CAF_CHECK(hear(kind::offline, "a", 1) == change::none);
  CAF_CHECK(uut.contains("a"));
}

CAF_TEST(the number of members is bounded) {
  for (size_t i = 0; i < membership::members_max; ++i)
    hear(kind::online, std::to_string(i).c_str());
  CAF_CHECK(hear(kind::online, "one more") == change::none);
  CAF_CHECK_EQUAL(uut.size(), membership::members_max);
}

CAF_TEST(members have an order) {
  hear(kind::online, "a");
  hear(kind::online, "c");
  CAF_CHECK_EQUAL(uut.rank("a"), 0u);
  CAF_CHECK_EQUAL(uut.rank("b"), 1u);
  CAF_CHECK_EQUAL(uut.rank("d"), 2u);
}

CAF_TEST_FIXTURE_SCOPE_END()
