#define CAF_SUITE census

#include "tests/unit/dsl.hpp"

#include "actors/supervision/census.hpp"

#include <caf/all.hpp>

using namespace std::chrono_literals;
using namespace umbel;

namespace {

caf::behavior answers(caf::event_based_actor* self, std::string state,
                      std::vector<described_child> children) {
  return {
      [=](describe_atom) { return describe_self(self, state, children); },
      [](int) {},
  };
}

/// Is alive and never answers.
caf::behavior stuck(caf::event_based_actor* self) {
  auto promises = std::make_shared<std::vector<caf::response_promise>>();
  return {[=](describe_atom) -> caf::result<description> {
    promises->push_back(self->make_response_promise());
    return promises->back();
  }};
}

struct fixture : test_coordinator_fixture<> {
  std::vector<caf::actor> spawned;
  census_result result;
  bool done = false;

  described_child child(std::string id, caf::actor hdl, std::string state = "",
                        bool blocks = false) {
    if (hdl)
      spawned.push_back(hdl);
    return {std::move(id), std::move(hdl), std::move(state), blocks};
  }

  caf::actor actor(std::string state, std::vector<described_child> xs = {}) {
    return sys.spawn(answers, std::move(state), std::move(xs));
  }

  /// As the worker does it, but not detached: in the test's own time.
  void count(const caf::actor& top) {
    spawned.push_back(top);
    sys.spawn(census, "top", top, [this](census_result x) {
      result = std::move(x);
      done = true;
    });
    consume_messages();
  }

  ~fixture() {
    for (auto& x : spawned)
      caf::anon_send_exit(x, caf::exit_reason::kill);
    consume_messages();
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(census_tests, fixture)

CAF_TEST(the whole tree is drawn) {
  auto inner = actor("two jobs", {child("x", actor("")), child("y", actor("z"))});
  count(actor("well", {child("a", actor("idle"), "restarted 1 time"),
                       child("b", inner), child("c", actor("last"))}));
  CAF_CHECK(done);
  CAF_CHECK(all_well(result));
  CAF_CHECK_EQUAL(to_string(result), "top (mailbox 0): well\n"
                                     "|- a (mailbox 0): restarted 1 time, idle\n"
                                     "|- b (mailbox 0): two jobs\n"
                                     "|  |- x (mailbox 0)\n"
                                     "|  `- y (mailbox 0): z\n"
                                     "`- c (mailbox 0): last\n");
}

CAF_TEST(a stuck actor is named and delays nobody else) {
  count(actor("", {child("a", sys.spawn(stuck), "restarted 1 time"),
                   child("b", actor("idle"))}));
  CAF_CHECK(!done);
  sched.advance_time(1s);
  consume_messages();
  CAF_CHECK(done);
  CAF_CHECK(!all_well(result));
  CAF_CHECK_EQUAL(to_string(result),
                  "top (mailbox 0)\n"
                  "|- a: no answer within 1 s, restarted 1 time\n"
                  "`- b (mailbox 0): idle\n");
}

CAF_TEST(who may block and who is dead prove nothing) {
  count(actor("", {child("reader", sys.spawn(stuck), "", true),
                   child("gone", nullptr, "waits for its restart")}));
  sched.advance_time(1s);
  consume_messages();
  CAF_CHECK(all_well(result));
  CAF_CHECK_EQUAL(to_string(result),
                  "top (mailbox 0)\n"
                  "|- reader: no answer within 1 s\n"
                  "`- gone: not alive, waits for its restart\n");
}

CAF_TEST(one that ended in the meantime is not alive) {
  auto mortal = actor("");
  auto top = actor("", {child("mortal", mortal)});
  caf::anon_send_exit(mortal, caf::exit_reason::kill);
  consume_messages();
  count(top);
  CAF_CHECK(done);
  CAF_CHECK(all_well(result));
  CAF_CHECK_EQUAL(to_string(result), "top (mailbox 0)\n"
                                     "`- mortal: not alive\n");
}

CAF_TEST(one that does not know the question lives) {
  auto silent = sys.spawn([]() -> caf::behavior { return {[](int) {}}; });
  count(actor("", {child("a", silent)}));
  CAF_CHECK(done);
  CAF_CHECK(all_well(result));
  CAF_CHECK_EQUAL(to_string(result), "top (mailbox 0)\n"
                                     "`- a (mailbox 0): says nothing of itself\n");
}

CAF_TEST(waiting messages are counted and do not hide the answer) {
  auto top = actor("busy");
  spawned.push_back(top);
  for (int i = 0; i < 3; ++i)
    self->send(top, i);
  auto answer = self->request<caf::message_priority::high>(
      top, caf::infinite, describe_atom::value);
  consume_messages();
  answer.receive(
      [](const description& x) {
        CAF_CHECK_EQUAL(x.state, "busy");
        CAF_CHECK_EQUAL(x.mailbox, 3u);
      },
      [](const caf::error&) { CAF_FAIL("no answer"); });
}

CAF_TEST_FIXTURE_SCOPE_END()
