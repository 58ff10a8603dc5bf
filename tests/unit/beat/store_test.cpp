// What every store of a schedule has to do, on each of them.
#define CAF_SUITE store

#include "tests/unit/dsl.hpp"

#include "actors/beat/beat_db.hpp"
#include "actors/beat/beat_plan.hpp"
#include "protocol/broker/redis/connection.hpp"
#include "protocol/message/envelope.hpp"
#include "protocol/schedule/once_publisher.hpp"
#include "protocol/schedule/redis/redis_store.hpp"
#include "tests/unit/broker/redis_server.hpp"

#include <filesystem>
#include <functional>

#include <unistd.h>

using namespace umbel;
using namespace std::chrono_literals;
using schedule::store;

namespace {

/// A place for a schedule, empty at first.
struct place {
  virtual ~place() = default;
  virtual std::unique_ptr<store> beat() = 0;
  virtual std::unique_ptr<store> command() = 0;
};

struct file_place : place {
  file_place() {
    char pattern[] = "/tmp/umbel-store-XXXXXX";
    folder = mkdtemp(pattern);
  }

  ~file_place() override {
    std::filesystem::remove_all(folder);
  }

  std::unique_ptr<store> beat() override {
    return beat_db::open(folder / "schedule").value();
  }

  std::unique_ptr<store> command() override {
    return beat_db::open(folder / "schedule", database_role::guest).value();
  }

  std::filesystem::path folder;
};

test::redis_server& server() {
  static test::redis_server result;
  return result;
}

struct redis_place : place {
  redis_place() {
    options.global_keyprefix = make_uuid() + ':';
  }

  std::unique_ptr<store> beat() override {
    auto result = schedule::redis_store::make(server().url() + query,
                                              broker_url, options, "beat@host")
                      .value();
    CAF_REQUIRE(result->connect());
    return result;
  }

  std::unique_ptr<store> command() override {
    return beat();
  }

  /// As when whoever leads has not been heard of for long.
  void end_lease() {
    auto x = redis::connection::open(server().url(), {}).value();
    x->command({"DEL", options.global_keyprefix + "umbel.beat.lease"}, "test")
      .value();
  }

  std::string query = "?lease=60";
  std::string broker_url = server().url();
  broker_options options;
};

void on_each(const std::function<void(place&)>& scenario) {
  CAF_MESSAGE("in a file");
  file_place file;
  scenario(file);
  CAF_MESSAGE("in Redis");
  redis_place shared;
  scenario(shared);
}

timestamp at(int64_t seconds) {
  return timestamp{std::chrono::seconds{seconds}};
}

constexpr auto definition = R"({"task": "t", "schedule": 10})";

/// A beat that leads, with entries of its configuration.
std::unique_ptr<store> leading(place& where,
                               std::map<std::string, std::string> entries) {
  auto result = where.beat();
  auto x = result->lead();
  CAF_REQUIRE(x);
  CAF_REQUIRE(x->leads && x->anew);
  CAF_REQUIRE(result->load());
  CAF_REQUIRE(
      result->configure({std::move(entries), {}, "Europe/Berlin"}).value());
  return result;
}

schedule::stored_entry live(const std::string& name) {
  schedule::stored_entry result;
  result.name = name;
  result.definition = definition;
  result.live = true;
  result.changed_at = at(1'700'000'000) + 123'456us;
  return result;
}

} // namespace

CAF_TEST(what is written is read) {
  on_each([](place& where) {
    {
      auto beat = leading(where, {{"a", definition}, {"b", definition}});
      CAF_CHECK(
          beat->commit({}, {{"a", {at(1'700'000'001) + 7us, 3, 1}}}).value());
    }
    auto beat = where.beat();
    CAF_REQUIRE(beat->lead());
    auto all = beat->load().value();
    CAF_CHECK_EQUAL(all.zone, "Europe/Berlin");
    CAF_CHECK_EQUAL(all.identity.size(), 36u);
    CAF_REQUIRE_EQUAL(all.entries.size(), 2u);
    auto& a = all.entries[all.entries[0].name == "a" ? 0 : 1];
    CAF_CHECK_EQUAL(a.definition, definition);
    CAF_CHECK(a.enabled);
    CAF_CHECK(!a.live);
    CAF_CHECK(a.runs == (schedule::run_record{at(1'700'000'001) + 7us, 3, 1}));
    CAF_CHECK_EQUAL(beat->load().value().identity, all.identity);
  });
}

CAF_TEST(commands are noticed by the beat that leads) {
  on_each([](place& where) {
    auto beat = leading(where, {{"a", definition}});
    auto command = where.command();
    CAF_CHECK(beat->lead().value().changed.empty());
    CAF_CHECK(command->put(live("b"), store::put_mode::add).value());
    CAF_CHECK(!command->put(live("b"), store::put_mode::add).value());
    CAF_CHECK(command->put(live("b"), store::put_mode::any).value());
    CAF_CHECK(!command->put(live("c"), store::put_mode::replace).value());
    CAF_CHECK(command->request_run("a").value());
    CAF_CHECK(!command->request_run("c").value());
    CAF_CHECK(!command->remove("c").value());
    auto changed = beat->lead().value().changed;
    std::ranges::sort(changed);
    changed.erase(std::remove(changed.begin(), changed.end(), "c"),
                  changed.end());
    CAF_CHECK_EQUAL(changed, (std::vector<std::string>{"a", "b"}));
    CAF_CHECK(beat->lead().value().changed.empty());
    auto loaded = beat->load(changed).value();
    CAF_REQUIRE_EQUAL(loaded.size(), 2u);
    CAF_CHECK_EQUAL(loaded[0].requests, 1);
    CAF_CHECK(loaded[1].live);
    CAF_CHECK(loaded[1].changed_at == live("b").changed_at);
    CAF_CHECK(command->remove("b").value());
    CAF_CHECK_EQUAL(beat->lead().value().changed,
                    std::vector<std::string>{"b"});
    CAF_CHECK(beat->load(std::vector<std::string>{"b"}).value().empty());
  });
}

CAF_TEST(a beat and a command do not undo the work of each other) {
  on_each([](place& where) {
    auto beat = leading(where, {{"a", definition}});
    auto command = where.command();
    auto a = command->load(std::vector<std::string>{"a"}).value().at(0);
    CAF_CHECK(beat->commit({}, {{"a", {at(5), 1, 0}}}).value());
    a.enabled = false;
    CAF_CHECK(command->put(a, store::put_mode::replace).value());
    CAF_CHECK(beat->commit({}, {{"a", {at(6), 2, 0}}}).value());
    CAF_CHECK(beat->configure({{{"a", "{}"}}, {}, "UTC"}).value());
    a = command->load(std::vector<std::string>{"a"}).value().at(0);
    CAF_CHECK(!a.enabled);
    CAF_CHECK_EQUAL(a.definition, "{}");
    CAF_CHECK_EQUAL(a.runs.total_run_count, 2);
    // A live one hides what the configuration says.
    CAF_CHECK(command->put(live("a"), store::put_mode::any).value());
    CAF_CHECK(beat->configure({{{"a", "{}"}}, {}, "UTC"}).value());
    a = command->load(std::vector<std::string>{"a"}).value().at(0);
    CAF_CHECK_EQUAL(a.definition, definition);
    // What was removed is not brought back by a run.
    CAF_CHECK(command->remove("a").value());
    CAF_CHECK(beat->commit({}, {{"a", {at(7), 3, 0}}}).value());
    CAF_CHECK(beat->load().value().entries.empty());
  });
}

CAF_TEST(it is known whether a beat runs) {
  on_each([](place& where) {
    {
      auto beat = leading(where, {});
      CAF_CHECK(!where.command()->leader().value().empty());
    }
    CAF_CHECK(where.command()->leader().value().empty());
  });
}

CAF_TEST(one of several beats leads and another takes over) {
  redis_place where;
  auto first = leading(where, {{"a", definition}});
  auto second = where.beat();
  auto x = second->lead().value();
  CAF_CHECK(!x.leads);
  CAF_CHECK_EQUAL(x.leader, "beat@host");
  first->resign();
  x = second->lead().value();
  CAF_CHECK(x.leads && x.anew);
  CAF_CHECK(!second->lead().value().anew);
}

CAF_TEST(who has lost the lead changes nothing and sends nothing) {
  redis_place where;
  auto first = leading(where, {{"a", definition}});
  auto second = where.beat();
  CAF_CHECK(!second->lead().value().leads);
  where.end_lease();
  CAF_CHECK(second->lead().value().leads);
  outgoing_message message{queue_name{"q"}, 0, "payload"};
  CAF_CHECK(!first->commit({&message, 1}, {{"a", {at(9), 1, 0}}}).value());
  CAF_CHECK(!first->configure({{{"z", definition}}, {}, "UTC"}).value());
  auto all = second->load().value();
  CAF_REQUIRE_EQUAL(all.entries.size(), 1u);
  CAF_CHECK_EQUAL(all.entries[0].runs.total_run_count, 0);
  auto broker = connect_broker(server().url(), where.options).value();
  CAF_CHECK_EQUAL(broker->size(queue_name{"q"}).value(), 0u);
  CAF_CHECK(second->commit({&message, 1}, {{"a", {at(9), 1, 0}}}).value());
  CAF_CHECK_EQUAL(broker->size(queue_name{"q"}).value(), 1u);
  // The first may lead again later, and has to begin anew then.
  second->resign();
  CAF_CHECK(first->lead().value().anew);
}

namespace {

void publishes_once(const std::string& url, const broker_options& options) {
  auto once = schedule::once_publisher::open(url, options).value();
  CAF_REQUIRE(once);
  auto item = [](const char* series, int64_t number) {
    return schedule::once_publisher::item{
        series, number, {queue_name{"q"}, 0, std::to_string(number)}};
  };
  std::vector<schedule::once_publisher::item> items{item("a", 1), item("a", 2),
                                                    item("#a", 1)};
  CAF_CHECK(once->publish("s", items));
  items.push_back(item("a", 1'764'000'000'000'001));
  items.push_back(item("a", 1'764'000'000'000'000));
  CAF_CHECK(once->publish("s", items));
  auto broker = connect_broker(url, options).value();
  CAF_CHECK_EQUAL(broker->size(queue_name{"q"}).value(), 4u);
  // Whoever comes after it was killed.
  once = schedule::once_publisher::open(url, options).value();
  CAF_CHECK(once->publish("s", items));
  CAF_CHECK_EQUAL(broker->size(queue_name{"q"}).value(), 4u);
  CAF_CHECK(once->publish("another schedule", items));
  CAF_CHECK_EQUAL(broker->size(queue_name{"q"}).value(), 8u);
}

} // namespace

CAF_TEST(a due time is published once on a Redis that is not the store) {
  redis_place where;
  publishes_once(server().url(), where.options);
}

CAF_TEST(a due time is published once in a file that is not the store) {
  file_place where;
  publishes_once("sqlite://" + (where.folder / "broker").string(), {});
  publishes_once("sqla+sqlite:///" + (where.folder / "kombu").string(), {});
}

CAF_TEST(a unique task that is there already drops no others) {
  file_place where;
  auto url = "sqlite://" + (where.folder / "broker").string();
  auto once = schedule::once_publisher::open(url, {}).value();
  auto item = [](int64_t number, const char* key) {
    auto id = std::to_string(number);
    return schedule::once_publisher::item{
      "a", number,
      {queue_name{"q"}, 0,
       R"({"body": "", "headers": {"id": ")" + id
         + R"(", "task": "t", "unique_key": ")" + key
         + R"("}, "properties": {}})"}};
  };
  std::vector<schedule::once_publisher::item> items{item(1, "x"), item(2, "x"),
                                                    item(3, "y")};
  auto done = once->publish("s", items);
  CAF_REQUIRE(!done);
  CAF_CHECK(done.error().code == errc::duplicate);
  auto broker = connect_broker(url, {}).value();
  CAF_CHECK_EQUAL(broker->size(queue_name{"q"}).value(), 2u);
}

CAF_TEST(on other brokers nothing can be published once) {
  CAF_CHECK(!schedule::once_publisher::open("memory://x", {}).value());
}

CAF_TEST(what is due while nobody leads is not forgotten) {
  redis_place where;
  auto make = [&] {
    beat_plan_options x;
    x.entries
        = schedule::parse_entries(
              parse_json(
                  R"({"a": {"task": "t", "schedule": 10, "catch_up": "skip"}})")
                  .value()
                  .as_object(),
              {})
              .value();
    return std::make_unique<beat_plan>(std::move(x), where.beat());
  };
  auto begin = at(1'764'000'000);
  auto due_after = [&](std::chrono::seconds pause) {
    auto plan = make();
    CAF_REQUIRE(plan->memory().lead());
    CAF_REQUIRE(plan->take_over(begin + pause).value());
    auto due = plan->take_due(begin + pause, 10);
    plan->note(due, begin + pause);
    CAF_CHECK(plan->save({}).value());
    return due.size();
  };
  CAF_CHECK_EQUAL(due_after(0s), 0u);
  CAF_CHECK_EQUAL(due_after(45s), 1u); // as after the death of a leader
  CAF_CHECK_EQUAL(due_after(3'600s), 1u);
  CAF_CHECK_EQUAL(due_after(3'605s), 0u);
}

CAF_TEST(urls of a shared schedule are checked) {
  auto fault = [](const std::string& url) {
    auto x = schedule::redis_store::make(url, "", {}, "n");
    return x ? "none" : x.error().what;
  };
  CAF_CHECK_EQUAL(fault("redis://localhost/0?lease=5"), "none");
  CAF_CHECK_EQUAL(fault("redis://localhost/0?lease=x"),
                  "lease=x: it lasts from 0.2 to 3600 seconds");
  CAF_CHECK_NOT_EQUAL(fault("redis://localhost/x"), "none");
}
