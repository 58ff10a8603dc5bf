#define CAF_SUITE state_keeper

#include "actors/consumer/state_keeper.hpp"

#include "tests/unit/dsl.hpp"

#include <filesystem>

#include <stdlib.h>

using namespace umbel;

namespace {

struct fixture : test_coordinator_fixture<> {
  std::filesystem::path directory;
  std::shared_ptr<state_db> db;
  caf::actor uut;
  caf::actor consumer;
  std::vector<tasks_revoked> answers;

  fixture() {
    char name[] = "/tmp/umbel-state-XXXXXX";
    directory = mkdtemp(name);
    db = std::move(*state_db::open(directory / "state.db", 100));
    uut = sys.spawn(state_keeper, db);
    consumer = sys.spawn([this](caf::event_based_actor*) -> caf::behavior {
      return {
        [this](tasks_revoked& x) { answers.push_back(std::move(x)); },
      };
    });
  }

  ~fixture() {
    for (auto& hdl : {uut, consumer})
      caf::anon_send_exit(hdl, caf::exit_reason::kill);
    consume_messages();
    std::filesystem::remove_all(directory);
  }

  void revoke(const char* id) {
    caf::send_as(consumer, uut, tasks_revoked{{task_id{id}}, {}, {}});
  }

  size_t saved() {
    return db->load().value().size();
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(state_keeper_tests, fixture)

CAF_TEST(what waits in the mailbox is saved together and then answered) {
  for (auto id : {"a", "b", "c"})
    revoke(id);
  for (int i = 0; i < 3; ++i)
    consume_message();
  CAF_CHECK_EQUAL(saved(), 0u);
  CAF_CHECK(answers.empty());
  consume_messages();
  CAF_CHECK_EQUAL(saved(), 3u);
  CAF_REQUIRE_EQUAL(answers.size(), 3u);
  CAF_CHECK_EQUAL(answers[0].ids[0].str(), "a");
}

CAF_TEST(what was sent before the end is saved) {
  revoke("a");
  revoke("b");
  caf::anon_send_exit(uut, caf::exit_reason::user_shutdown);
  consume_messages();
  CAF_CHECK_EQUAL(saved(), 2u);
  CAF_CHECK_EQUAL(answers.size(), 2u);
  CAF_CHECK(caf::actor_cast<caf::abstract_actor*>(uut)->getf(
    caf::abstract_actor::is_terminated_flag));
}

CAF_TEST_FIXTURE_SCOPE_END()
