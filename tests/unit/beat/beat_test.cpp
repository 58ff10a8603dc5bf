#define CAF_SUITE beat

#include "tests/unit/dsl.hpp"

#include "actors/beat/beat.hpp"
#include "actors/beat/beat_db.hpp"
#include "protocol/message/envelope.hpp"
#include "protocol/schedule/operations.hpp"

#include <csignal>
#include <filesystem>
#include <fstream>

#include <sys/resource.h>
#include <unistd.h>

using namespace umbel;
using namespace std::chrono_literals;

namespace {

timestamp at(std::string_view text) {
  return parse_time(text).value();
}

struct fixture : test_coordinator_fixture<> {
  timestamp now = at("2026-11-24T10:00:00Z");
  std::filesystem::path folder;
  std::string url = "memory://beat" + make_uuid();
  std::unique_ptr<broker> peer = connect_broker(url, options()).value();
  bool broker_is_away = false;
  std::shared_ptr<beat_plan> plan;
  caf::actor uut;

  fixture() {
    char pattern[] = "/tmp/umbel-beat-XXXXXX";
    folder = mkdtemp(pattern);
  }

  ~fixture() {
    stop();
    std::filesystem::remove_all(folder);
  }

  static broker_options options() {
    broker_options result;
    result.node = node_name{"beat@test"};
    result.incarnation = make_uuid();
    return result;
  }

  /// What `kill -9` and a new start are: nothing but the file is left.
  expected<void> start(const std::string& entries,
                       std::optional<std::chrono::microseconds> deadline = {}) {
    stop();
    auto parsed = schedule::parse_entries(
      parse_json(entries).value().as_object(), {});
    if (!parsed)
      return parsed.error();
    auto file = beat_db::open(folder / "schedule");
    if (!file)
      return file.error();
    beat_plan_options x;
    x.entries = std::move(*parsed);
    x.deadline = deadline;
    x.parse = [](const std::string& name, const std::string& definition) {
      return schedule::parse_entry(name, parse_json(definition).value(), {});
    };
    plan = std::make_shared<beat_plan>(std::move(x), std::move(*file));
    CAF_REQUIRE(plan->memory().lead());
    if (auto done = plan->take_over(now); !done)
      return done.error();
    spawn();
    return {};
  }

  void spawn() {
    beat_options x;
    x.now = [this] { return now; };
    x.connect = [this]() -> expected<std::unique_ptr<broker>> {
      if (broker_is_away)
        return error{errc::unavailable, "away"};
      return connect_broker(url, options());
    };
    uut = sys.spawn(beat, plan, std::move(x));
    consume_messages();
  }

  void stop() {
    if (uut)
      caf::anon_send_exit(uut, caf::exit_reason::kill);
    consume_messages();
    uut = nullptr;
    plan.reset();
  }

  /// What `umbel beat add ...` does, in another process.
  schedule::operations operate() {
    commands.push_back(
      beat_db::open(folder / "schedule", database_role::guest).value());
    return schedule::operations::begin(*commands.back(), {}).value();
  }

  std::vector<std::unique_ptr<beat_db>> commands;

  /// Both clocks go on.
  void pass(std::chrono::microseconds d) {
    now += d;
    advance_time(d);
    consume_messages();
  }

  /// How many tasks are on the queue; they are taken away.
  size_t sent(const char* queue = "celery") {
    return peer->purge(queue_name{queue}).value();
  }
};

constexpr auto every_ten = R"({"a": {"task": "t", "schedule": 10}})";

} // namespace

CAF_TEST_FIXTURE_SCOPE(beat_tests, fixture)

CAF_TEST(an entry is sent when it is due and not before) {
  CAF_REQUIRE(start(every_ten));
  pass(9'999ms);
  CAF_CHECK_EQUAL(sent(), 0u);
  pass(1ms);
  CAF_CHECK_EQUAL(sent(), 1u);
  for (int i = 0; i < 5; ++i)
    pass(10s);
  CAF_CHECK_EQUAL(sent(), 5u);
}

CAF_TEST(an interval does not drift when it is sent late) {
  CAF_REQUIRE(start(every_ten));
  pass(14s);
  CAF_CHECK_EQUAL(sent(), 1u);
  pass(6s);
  CAF_CHECK_EQUAL(sent(), 1u);
}

CAF_TEST(entries are sent on their queues) {
  CAF_REQUIRE(start(R"({"a": {"task": "t", "schedule": 10,
                              "options": {"queue": "slow"}},
                        "b": {"task": "t", "schedule": {"crontab": "* * * * *"}}})"));
  pass(10s);
  CAF_CHECK_EQUAL(sent("slow"), 1u);
  CAF_CHECK_EQUAL(sent(), 0u);
  pass(50s);
  CAF_CHECK_EQUAL(sent(), 1u);
}

CAF_TEST(what was sent is remembered and what was not is sent after a crash) {
  CAF_REQUIRE(start(every_ten));
  pass(15s);
  CAF_CHECK_EQUAL(sent(), 1u);
  CAF_REQUIRE(start(every_ten));
  pass(4'999ms);
  CAF_CHECK_EQUAL(sent(), 0u);
  pass(1ms);
  CAF_CHECK_EQUAL(sent(), 1u);
}

CAF_TEST(what is due while the broker is away is sent afterwards) {
  broker_is_away = true;
  CAF_REQUIRE(start(every_ten));
  pass(25s); // it has ended: its supervisor would start it again and again
  spawn();
  CAF_CHECK_EQUAL(sent(), 0u);
  broker_is_away = false;
  spawn();
  CAF_CHECK_EQUAL(sent(), 1u); // one for both
}

CAF_TEST(after a pause each policy sends what it promises) {
  std::pair<const char*, size_t> policies[]
    = {{"skip", 0}, {"once", 1}, {"all", 6}};
  for (auto [policy, n] : policies) {
    auto entries = R"({")" + std::string{policy}
                   + R"(": {"task": "t", "schedule": 10, "catch_up": ")" + policy
                   + R"("}})";
    CAF_REQUIRE(start(entries));
    stop();
    now += 65s;
    CAF_REQUIRE(start(entries));
    CAF_CHECK_EQUAL(sent(), n);
  }
}

CAF_TEST(a year of missed seconds is sent within bounds) {
  auto entries = R"({"a": {"task": "t", "schedule": 1, "catch_up": "all"}})";
  CAF_REQUIRE(start(entries));
  stop();
  now += std::chrono::years{1};
  CAF_REQUIRE(start(entries));
  CAF_CHECK_EQUAL(sent(), schedule::catch_up_max);
  pass(1s);
  CAF_CHECK_EQUAL(sent(), 1u);
}

CAF_TEST(a crontab that was due too long ago is not sent) {
  auto entries = R"({"a": {"task": "t", "schedule": {"crontab": "0 * * * *"}}})";
  CAF_REQUIRE(start(entries, 5min));
  stop();
  now += 66min;
  CAF_REQUIRE(start(entries, 5min));
  CAF_CHECK_EQUAL(sent(), 0u);
  pass(54min);
  CAF_CHECK_EQUAL(sent(), 1u);
}

CAF_TEST(many that are due at once are all sent) {
  std::string entries = "{";
  for (int i = 0; i < 1'234; ++i)
    entries += (i == 0 ? "\"" : ",\"") + std::to_string(i)
               + R"(": {"task": "t", "schedule": 60})";
  CAF_REQUIRE(start(entries + '}'));
  pass(60s);
  CAF_CHECK_EQUAL(sent(), 1'234u);
}

CAF_TEST(a file that cannot be used is left as it is) {
  auto path = folder / "schedule";
  std::ofstream{path} << "a file of somebody else, long enough for a header of a "
                         "database: 0123456789012345678901234567890123456789";
  auto size = file_size(path);
  auto started = start(every_ten);
  CAF_REQUIRE(!started);
  CAF_CHECK(started.error().what.find("it is no SQLite database")
            != std::string::npos);
  CAF_CHECK_EQUAL(file_size(path), size);
}

CAF_TEST(a full disk delays the note and not the task) {
  CAF_REQUIRE(start(every_ten));
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before;
  getrlimit(RLIMIT_FSIZE, &before);
  rlimit full{0, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &full);
  pass(10s);
  setrlimit(RLIMIT_FSIZE, &before);
  CAF_CHECK_EQUAL(sent(), 1u);
  pass(10s); // both are written now
  CAF_CHECK_EQUAL(sent(), 1u);
  stop();
  auto file = beat_db::open(folder / "schedule");
  CAF_REQUIRE(file);
  auto stored = (*file)->load();
  CAF_REQUIRE(stored);
  CAF_REQUIRE_EQUAL(stored->entries.size(), 1u);
  CAF_CHECK_EQUAL(stored->entries[0].runs.total_run_count, 2);
  CAF_CHECK(stored->entries[0].runs.last_run_at == now);
}

CAF_TEST(a full disk delays commands too and stops nothing) {
  CAF_REQUIRE(start(every_ten));
  CAF_REQUIRE(operate().run_now("a"));
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before;
  getrlimit(RLIMIT_FSIZE, &before);
  rlimit full{0, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &full);
  pass(1s);
  CAF_CHECK_EQUAL(sent(), 0u);
  pass(9s);
  CAF_CHECK_EQUAL(sent(), 1u); // what is due
  setrlimit(RLIMIT_FSIZE, &before);
  pass(1s);
  CAF_CHECK_EQUAL(sent(), 1u); // what was asked for
}

CAF_TEST(two beats cannot share a file) {
  CAF_REQUIRE(start(every_ten));
  auto second = beat_db::open(folder / "schedule");
  CAF_REQUIRE(!second);
  CAF_CHECK(second.error().what.find("another process uses it")
            != std::string::npos);
}

CAF_TEST(commands change what is sent within a second) {
  CAF_REQUIRE(start(every_ten));
  auto at_it = operate();
  auto definition = parse_json(R"({"task": "t", "schedule": 3,
                                   "options": {"queue": "live"}})")
                      .value();
  CAF_REQUIRE(at_it.add("b", definition, false, now));
  CAF_CHECK(!at_it.add("b", definition, false, now));
  pass(1s);
  pass(2s);
  CAF_CHECK_EQUAL(sent("live"), 1u);
  CAF_REQUIRE(at_it.enable("b", false, now));
  pass(1s);
  pass(20s);
  CAF_CHECK_EQUAL(sent("live"), 0u);
  CAF_REQUIRE(at_it.enable("b", true, now));
  pass(1s);
  CAF_CHECK_EQUAL(sent("live"), 0u); // what was due meanwhile does not count
  pass(2s);
  CAF_CHECK_EQUAL(sent("live"), 1u);
  CAF_REQUIRE(at_it.run_now("b"));
  CAF_REQUIRE(at_it.run_now("b"));
  pass(1s);
  CAF_CHECK_EQUAL(sent("live"), 2u);
  CAF_REQUIRE(at_it.remove("b"));
  pass(1s);
  pass(20s);
  CAF_CHECK_EQUAL(sent("live"), 0u);
  CAF_CHECK(!at_it.remove("b"));
}

CAF_TEST(what commands have changed outlives the beat) {
  CAF_REQUIRE(start(every_ten));
  {
    auto at_it = operate();
    auto definition = parse_json(R"({"task": "t", "schedule": 5})").value();
    CAF_REQUIRE(at_it.add("b", definition, false, now));
    CAF_REQUIRE(at_it.enable("a", false, now));
  }
  CAF_REQUIRE(start(every_ten));
  pass(10s);
  CAF_CHECK_EQUAL(sent(), 1u); // b, for both
  CAF_CHECK(!operate().find("a").value().stored.enabled);
}

CAF_TEST(a request that no beat has seen is served by the next one) {
  CAF_REQUIRE(start(every_ten));
  CAF_REQUIRE(operate().run_now("a"));
  CAF_REQUIRE(start(every_ten));
  CAF_CHECK_EQUAL(sent(), 1u);
  CAF_REQUIRE(start(every_ten));
  CAF_CHECK_EQUAL(sent(), 0u);
}

CAF_TEST(a live entry hides that of the configuration until it is removed) {
  CAF_REQUIRE(start(every_ten));
  auto at_it = operate();
  auto removed = at_it.remove("a");
  CAF_REQUIRE(!removed);
  CAF_CHECK_EQUAL(removed.error().what,
                  "entry 'a' comes from the configuration: take it out there, or "
                  "disable it");
  auto definition = parse_json(R"({"task": "t", "schedule": 60})").value();
  CAF_REQUIRE(at_it.add("a", definition, true, now));
  pass(1s);
  pass(30s);
  CAF_CHECK_EQUAL(sent(), 0u);
  CAF_REQUIRE(at_it.remove("a"));
  pass(1s);
  CAF_CHECK(!at_it.find("a").value().stored.live);
  pass(10s);
  CAF_CHECK_EQUAL(sent(), 1u);
}

CAF_TEST(a name that is not there is guessed) {
  CAF_REQUIRE(start(R"({"nightly": {"task": "t", "schedule": 10}})"));
  auto found = operate().find("nigthly");
  CAF_REQUIRE(!found);
  CAF_CHECK_EQUAL(found.error().what, "there is no entry 'nigthly'; did you mean "
                                      "'nightly'?");
}

CAF_TEST(a due time has the same id whoever sends it) {
  auto id = schedule::due_id("s", "a", at("2026-11-24T10:00:10Z"));
  CAF_CHECK_EQUAL(id, schedule::due_id("s", "a", at("2026-11-24T10:00:10Z")));
  CAF_CHECK_NOT_EQUAL(id, schedule::due_id("s", "a", at("2026-11-24T10:00:20Z")));
  CAF_CHECK_NOT_EQUAL(id, schedule::due_id("x", "a", at("2026-11-24T10:00:10Z")));
  // uuid.uuid5(uuid.NAMESPACE_URL, "umbel:beat/s/a@2026-11-24T10:00:10+00:00")
  CAF_CHECK_EQUAL(id, "02c8ce74-f166-519b-93f6-21116b3cdcd0");
}

CAF_TEST(mistakes in entries are explained) {
  auto fault = [this](const char* entries) {
    auto x = start(entries);
    return x ? "none" : x.error().what;
  };
  CAF_CHECK_EQUAL(fault(R"({"a": {"schedule": 1}})"),
                  "beat_schedule, entry 'a': task is missing");
  CAF_CHECK_EQUAL(fault(R"({"a": {"task": "t", "schedule": {"crontab": "x"}}})"),
                  "beat_schedule, entry 'a': crontab 'x': expected five fields, "
                  "minute hour day_of_month month_of_year day_of_week");
  CAF_CHECK_EQUAL(fault(R"({"a": {"task": "t", "schedule": 1,
                                  "options": {"priority": 11}}})"),
                  "beat_schedule, entry 'a': priority has to be a number from 0 "
                  "to 9");
  CAF_CHECK_EQUAL(fault(R"({"a": {"task": "t", "schedule": 1,
                                  "options": {"delivery_mode": 3}}})"),
                  "beat_schedule, entry 'a': delivery_mode has to be transient (1) or "
                  "persistent (2)");
}

CAF_TEST_FIXTURE_SCOPE_END()
