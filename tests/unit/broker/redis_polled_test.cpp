// How a polled broker waits on Redis: what it asks the server for, and what ends it.
#define CAF_SUITE redis_polled

#include "tests/unit/dsl.hpp"

#include "protocol/broker/polled.hpp"
#include "tests/unit/broker/redis_fixture.hpp"

#include <poll.h>

#include <chrono>
#include <memory>
#include <optional>

using namespace umbel;
using namespace umbel::test;
using namespace std::chrono_literals;

namespace {

using real_time = std::chrono::steady_clock;

/// Far longer than anything here takes.
constexpr auto for_ever = 20s;

struct fixture : redis_fixture {
  broker_options options;

  fixture() {
    options.node = node_name{"n"};
    options.incarnation = "i";
    options.queues = {queue_name{"q"}, queue_name{"other"}};
    options.lease_is_kept = true;
    options.result_url = server().url();
    ask({"SET", "umbel.lease.i", "n"});
  }

  std::unique_ptr<polled_broker> connect() {
    return connect_polled_broker(server().url(), options).value();
  }

  /// The next answer to `begin_reserve`; none if there is none in time.
  static expected<std::optional<std::vector<delivery>>>
  answer(polled_broker& x, std::chrono::milliseconds within = for_ever) {
    auto deadline = real_time::now() + within;
    for (;;) {
      auto news = x.advance();
      if (!news)
        return news.error();
      if (news->reserved)
        return std::move(news->reserved);
      auto left = std::chrono::ceil<std::chrono::milliseconds>(
          deadline - real_time::now());
      if (left <= 0ms)
        return std::optional<std::vector<delivery>>{};
      pollfd fd{x.descriptor(), POLLIN, 0};
      ::poll(&fd, 1, static_cast<int>(std::min(left, 2'000ms).count()));
    }
  }

  /// The next answer if the server gives it without anything else happening.
  std::optional<std::vector<delivery>> answer_at_once(polled_broker& x) {
    for (;;) {
      if (auto news = x.advance().value(); news.reserved)
        return std::move(news.reserved);
      // What was sent before the first has been answered before the second.
      for (int i = 0; i < 2; ++i)
        ask({"PING"});
      pollfd fd{x.descriptor(), POLLIN, 0};
      if (::poll(&fd, 1, 0) <= 0)
        return std::nullopt;
    }
  }

  static strings payloads(const expected<std::optional<std::vector<delivery>>>& x) {
    strings result;
    if (x && *x)
      for (auto& y : **x)
        result.push_back(y.payload);
    else
      result.push_back("no answer");
    return result;
  }

  /// Reserves, without waiting, and finds nothing.
  static void find_nothing(polled_broker& x) {
    CAF_REQUIRE(!x.begin_reserve(8).value().has_value());
    x.hurry().value();
    CAF_REQUIRE_EQUAL(payloads(answer(x)), strings{});
  }

  /// Begins a reservation that waits.
  static void wait(polled_broker& x) {
    find_nothing(x);
    CAF_REQUIRE(!x.begin_reserve(8).value().has_value());
  }

  /// How many connections the server keeps waiting.
  std::string blocked() {
    auto info = ask({"INFO", "clients"});
    auto at = info.find("blocked_clients:") + 16;
    return info.substr(at, info.find('\r', at) - at);
  }

  void until_blocked(const std::string& number) {
    auto deadline = real_time::now() + for_ever;
    while (blocked() != number && real_time::now() < deadline)
      poll(nullptr, 0, 1);
    CAF_REQUIRE_EQUAL(blocked(), number);
  }

  /// The only connection that waits.
  std::unique_ptr<polled_broker> waiting() {
    auto x = connect();
    wait(*x);
    until_blocked("1");
    return x;
  }

  void check_that_nothing_was_taken() {
    CAF_CHECK_EQUAL(ask({"LRANGE", "q", "0", "-1"}), "[a]");
    CAF_CHECK_EQUAL(ask({"EXISTS", "unacked"}), "0");
  }
};

struct refusing_fixture : fixture {
  /// As a user that may do all but this.
  std::unique_ptr<polled_broker> connect_without(const std::string& command) {
    ask({"ACL", "SETUSER", "limited", "reset", "on", ">secret", "~*", "&*",
         "+@all", "-" + command});
    auto url = server().url();
    url.insert(url.find("//") + 2, "limited:secret@");
    return connect_polled_broker(url, options).value();
  }

  ~refusing_fixture() {
    ask({"ACL", "DELUSER", "limited"});
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(redis_polled_tests, fixture)

CAF_TEST(a_message_ends_the_wait_reserved) {
  auto x = waiting();
  ask({"LPUSH", "q", "a"});
  // Without another word from here: the entry is in the ledger already.
  until_blocked("0");
  CAF_CHECK_EQUAL(ask({"HGETALL", "unacked"}), R"([n/i/1 [a, "", "q"]])");
  CAF_CHECK_EQUAL(payloads(answer(*x)), strings{"a"});
}

CAF_TEST(a_message_on_any_other_list_ends_the_wait) {
  auto x = connect();
  for (std::string list : {"q\x06\x16" "9", "other", "other\x06\x16" "3"}) {
    wait(*x);
    until_blocked("1");
    ask({"LPUSH", list, "a"});
    CAF_CHECK_EQUAL(payloads(answer(*x)), strings{"a"});
  }
}

CAF_TEST(a_message_that_comes_between_two_reservations_is_seen) {
  auto x = connect();
  for (std::string list : {"q", "q\x06\x16" "9", "other"}) {
    find_nothing(*x);
    ask({"LPUSH", list, "a"});
    CAF_REQUIRE(!x->begin_reserve(8).value().has_value());
    CAF_CHECK_EQUAL(payloads(answer(*x)), strings{"a"});
  }
}

CAF_TEST(who_is_hurried_answers_and_takes_nothing) {
  auto x = connect();
  for (int i = 0; i < 100; ++i) {
    wait(*x);
    x->hurry().value();
    x->hurry().value(); // once is enough
    CAF_CHECK_EQUAL(payloads(answer(*x)), strings{});
  }
  CAF_CHECK_EQUAL(ask({"EXISTS", "unacked"}), "0");
  // And the next wait is one again.
  wait(*x);
  until_blocked("1");
  CAF_CHECK_EQUAL(payloads(answer(*x, 50ms)), strings{"no answer"});
}

CAF_TEST(results_are_stored_while_it_waits) {
  auto x = connect();
  ask({"LPUSH", "q", "a"});
  CAF_REQUIRE(!x->begin_reserve(8).value().has_value());
  auto held = answer(*x).value().value().at(0);
  wait(*x);
  until_blocked("1");
  settlement stored;
  stored.tag = held.tag;
  stored.queue = held.queue;
  stored.result = result_record{task_id{"t"}, R"({"status": "SUCCESS"})"};
  x->begin_settle({stored}).value();
  std::optional<std::vector<bool>> settled;
  auto deadline = real_time::now() + for_ever;
  while (!settled && real_time::now() < deadline) {
    settled = std::move(x->advance().value().settled);
    poll(nullptr, 0, 1);
  }
  CAF_REQUIRE(settled.has_value());
  CAF_CHECK(*settled == std::vector{true});
  CAF_CHECK_EQUAL(ask({"GET", "celery-task-meta-t"}), R"({"status": "SUCCESS"})");
  CAF_CHECK_EQUAL(blocked(), "1");
}

CAF_TEST(who_has_lost_the_lease_while_it_waited_takes_nothing) {
  auto x = waiting();
  ask({"DEL", "umbel.lease.i"});
  ask({"LPUSH", "q", "a"});
  auto end = answer(*x);
  CAF_REQUIRE(!end);
  CAF_CHECK(to_string(end.error()).find("LEASE") != std::string::npos);
  check_that_nothing_was_taken();
}

CAF_TEST(who_is_gone_takes_nothing) {
  auto x = waiting();
  x.reset();
  until_blocked("0");
  ask({"LPUSH", "q", "a"});
  check_that_nothing_was_taken();
}

CAF_TEST(who_has_a_successor_takes_nothing) {
  // As one whose end the server has not noticed, while the same worker goes on.
  auto x = waiting();
  auto y = connect();
  wait(*y);
  until_blocked("2");
  for (std::string text : {"a", "b"}) {
    ask({"LPUSH", "q", text});
    CAF_CHECK_EQUAL(payloads(answer(*y)), strings{text});
    CAF_REQUIRE(!y->begin_reserve(8).value().has_value());
  }
  CAF_CHECK_EQUAL(ask({"HGETALL", "unacked"}),
                  R"([n/i/1 [a, "", "q"] n/i/2 [b, "", "q"]])");
  auto end = answer(*x);
  CAF_REQUIRE(!end);
  CAF_CHECK(to_string(end.error()).find("SUPERSEDED") != std::string::npos);
}

CAF_TEST(a_server_that_pauses_is_not_hurried) {
  // Redis 7.0 dies of CLIENT UNBLOCK for a client that it has paused.
  auto x = waiting();
  ask({"CLIENT", "PAUSE", "100", "WRITE"});
  x->hurry().value();
  CAF_CHECK_EQUAL(payloads(answer(*x)), strings{});
  find_nothing(*x);
  ask({"CLIENT", "PAUSE", "100", "WRITE"});
  CAF_REQUIRE(!x->begin_reserve(8).value().has_value()); // itself paused
  x->hurry().value();
  CAF_CHECK_EQUAL(payloads(answer(*x)), strings{});
  CAF_CHECK_EQUAL(ask({"PING"}), "PONG");
}

CAF_TEST(a_full_server_is_connected_to_and_delivers) {
  ask({"LPUSH", "q", "a", "b"});
  ask({"CONFIG", "SET", "maxmemory", "1"});
  auto x = connect();
  for (std::string text : {"a", "b"}) {
    CAF_REQUIRE(!x->begin_reserve(1).value().has_value());
    CAF_CHECK_EQUAL(payloads(answer(*x)), strings{text});
  }
  CAF_REQUIRE(!x->begin_reserve(1).value().has_value());
  x->hurry().value();
  CAF_CHECK_EQUAL(payloads(answer(*x)), strings{});
  ask({"CONFIG", "SET", "maxmemory", "0"});
}

CAF_TEST(all_who_wait_are_woken_and_one_of_them_has_it) {
  auto x = connect();
  options.incarnation = "j";
  ask({"SET", "umbel.lease.j", "n"});
  auto y = connect();
  wait(*x);
  wait(*y);
  until_blocked("2");
  ask({"LPUSH", "q", "a"});
  auto got = payloads(answer(*x)), others = payloads(answer(*y));
  got.insert(got.end(), others.begin(), others.end());
  CAF_CHECK_EQUAL(got, strings{"a"});
}

CAF_TEST_FIXTURE_SCOPE_END()

// -- a server that lets nobody wait ---------------------------------------------------

CAF_TEST_FIXTURE_SCOPE(refusing_redis_tests, refusing_fixture)

CAF_TEST(without_the_right_to_wait_all_is_announced) {
  for (std::string command : {"blmove", "client|unblock"}) {
    options.incarnation = command; // finds nothing that the last one has taken
    ask({"SET", "umbel.lease." + command, "n"});
    auto x = connect_without(command);
    for (std::string list : {"q", "q\x06\x16" "9", "other"}) {
      // Where only trying shows it, answers come without messages before that.
      int answers = 0;
      do {
        CAF_REQUIRE(!x->begin_reserve(8).value().has_value());
      } while (answer_at_once(*x) && ++answers < 5);
      CAF_CHECK_LESS(answers, 5);
      CAF_CHECK_EQUAL(blocked(), "0");
      ask({"LPUSH", list, "a"});
      CAF_CHECK_EQUAL(payloads(answer(*x)), strings{"a"});
    }
    find_nothing(*x);
  }
}

CAF_TEST_FIXTURE_SCOPE_END()
