// Logging in, losing the server, and waking up.
#define CAF_SUITE redis_connection

#include "tests/unit/dsl.hpp"

#include "tests/unit/broker/redis_fixture.hpp"

#include <thread>

using namespace umbel;
using namespace umbel::test;
using namespace std::chrono_literals;

namespace {

using fixture = redis_fixture;

expected<std::unique_ptr<broker>> open(const std::string& url,
                                       broker_options options = {}) {
  return connect_redis_broker(url, options);
}

// The error of an attempt, and that it is one line without the password.
error fault(const std::string& url, broker_options options = {}) {
  auto x = open(url, options);
  if (x) {
    CAF_ERROR("connected to " << url);
    return {};
  }
  CAF_MESSAGE(to_string(x.error()));
  CAF_CHECK(x.error().what.find("secret") == std::string::npos);
  CAF_CHECK(x.error().what.find('\n') == std::string::npos);
  return x.error();
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string location_of(const redis_server& x) {
  return "127.0.0.1:" + std::to_string(x.port());
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(redis_connection_tests, fixture)

// -- logging in ---------------------------------------------------------------

CAF_TEST(a_server_without_password_over_tcp_and_unix_socket) {
  auto x = open(server().url(3)).value();
  CAF_CHECK_EQUAL(x->location(), "redis://" + location_of(server()) + "/3");
  auto y = open(server().socket_url(3)).value();
  outgoing_message message{queue_name{"q"}, 0, "m"};
  x->publish({&message, 1}).value();
  CAF_CHECK_EQUAL(y->size(message.queue).value(), 1u);
  CAF_CHECK(contains(ask({"CLIENT", "LIST"}), "name=umbel"));
}

CAF_TEST(passwords_and_users) {
  redis_server guarded{{"--requirepass", "se/cret"}};
  CAF_CHECK(open(guarded.url(0, ":se%2Fcret")).has_value());
  CAF_CHECK(open(guarded.url(0, "default:se%2Fcret")).has_value());
  auto none = fault(guarded.url());
  CAF_CHECK(none.code == errc::refused);
  CAF_CHECK(contains(none.what, "NOAUTH"));
  CAF_CHECK(contains(none.what, location_of(guarded)));
  auto wrong = fault(guarded.url(0, ":xsecretx"));
  CAF_CHECK(wrong.code == errc::refused);
  CAF_CHECK(contains(wrong.what, "WRONGPASS"));
  CAF_CHECK(fault(guarded.url(0, "nobody:secret")).code == errc::refused);
}

CAF_TEST(what_a_server_refuses_is_told_in_its_words) {
  auto db = fault(server().url(99));
  CAF_CHECK(db.code == errc::refused);
  CAF_CHECK(contains(db.what, "DB index is out of range"));
  redis::connection_options demanding;
  demanding.version_min = 9900;
  auto old = redis::connection::open(admin->where(), demanding);
  CAF_REQUIRE(!old);
  CAF_CHECK(old.error().code == errc::unsupported);
  CAF_CHECK(contains(old.error().what, "at least 99.0 is needed"));
  auto x = connect(options());
  ask({"CONFIG", "SET", "maxmemory", "1"});
  outgoing_message message{queue_name{"q"}, 0, "m"};
  auto full = x->publish({&message, 1});
  ask({"CONFIG", "SET", "maxmemory", "0"});
  CAF_REQUIRE(!full);
  CAF_CHECK(full.error().code == errc::refused);
  CAF_CHECK(contains(full.error().what, "OOM"));
  CAF_CHECK(x->publish({&message, 1}).has_value()); // still usable
}

CAF_TEST(a_server_that_is_not_there_is_unavailable) {
  redis_server gone;
  gone.stop();
  auto tcp = fault(gone.url(0, "me:secret"));
  CAF_CHECK(tcp.code == errc::unavailable);
  CAF_CHECK(contains(tcp.what, location_of(gone)));
  CAF_CHECK(contains(tcp.what, "Connection refused"));
  CAF_CHECK(fault("unix:///nowhere/at/all").code == errc::unavailable);
  CAF_CHECK(fault("redis://no-such-host.invalid").code == errc::unavailable);
}

CAF_TEST(a_server_that_does_not_answer_is_a_timeout) {
  redis_server silent;
  broker_options options;
  options.connect_timeout = 50ms;
  options.socket_timeout = 50ms;
  // That may be too short for a busy machine, but not always.
  auto opened = open(silent.url(), options);
  for (int i = 0; !opened && i < 100; ++i)
    opened = open(silent.url(), options);
  auto x = std::move(opened.value());
  silent.pause();
  CAF_CHECK(fault(silent.url(), options).code == errc::timeout);
  auto size = x->size(queue_name{"q"});
  CAF_REQUIRE(!size);
  CAF_CHECK(size.error().code == errc::timeout);
  silent.resume();
  // The late reply must not be taken for that of the next command.
  auto next = x->size(queue_name{"q"});
  CAF_REQUIRE(!next);
  CAF_CHECK(next.error().code == errc::unavailable);
}

CAF_TEST(sockets_are_not_inherited) {
  CAF_CHECK(::fcntl(admin->fd(), F_GETFD) & FD_CLOEXEC);
  auto where = redis::to_address(parse_url(server().socket_url()).value());
  auto x = redis::connection::open(*where, {}).value();
  CAF_CHECK(::fcntl(x->fd(), F_GETFD) & FD_CLOEXEC);
}

// -- losing it ----------------------------------------------------------------

CAF_TEST(forgotten_scripts_are_loaded_again) {
  auto x = connect(options());
  outgoing_message message{queue_name{"q"}, 0, "m"};
  x->publish({&message, 1}).value();
  ask({"SCRIPT", "FLUSH"});
  CAF_CHECK_EQUAL(x->reserve(9).value().size(), 1u);
  ask({"SCRIPT", "FLUSH"});
  std::vector<settlement> batch(300);
  for (size_t i = 0; i < batch.size(); ++i) {
    batch[i].how = disposition::none;
    batch[i].tag = delivery_tag{std::to_string(i)};
    batch[i].publish = {message};
  }
  CAF_CHECK_EQUAL(x->settle(batch).value().size(), 300u);
  CAF_CHECK_EQUAL(ask({"LLEN", "q"}), "300");
}

CAF_TEST(a_lost_server_is_unavailable_and_stays_so) {
  redis_server mortal;
  auto x = open(mortal.url(), options()).value();
  CAF_CHECK(x->reserve(1).has_value());
  mortal.stop();
  for (int i = 0; i < 2; ++i) {
    auto y = x->reserve(1);
    CAF_REQUIRE(!y);
    CAF_CHECK(y.error().code == errc::unavailable);
    CAF_CHECK(contains(y.error().what, location_of(mortal)));
  }
  mortal.start();
  CAF_CHECK(!x->reserve(1)); // one must connect a new one
  CAF_CHECK(open(mortal.url()).has_value());
}

CAF_TEST(wait_fails_when_either_connection_is_lost) {
  for (std::string which : {"normal", "pubsub"}) {
    auto x = connect(options());
    CAF_CHECK(x->reserve(1).value().empty());
    ask({"CLIENT", "KILL", "TYPE", which, "SKIPME", "yes"});
    auto start = std::chrono::steady_clock::now();
    auto y = x->wait(60s);
    CAF_CHECK(std::chrono::steady_clock::now() - start < 5s); // at once
    CAF_REQUIRE(!y);
    CAF_CHECK(y.error().code == errc::unavailable);
  }
}

CAF_TEST(a_connection_that_died_in_silence_is_found_out) {
  redis_server silent;
  redis::connection_options options;
  options.socket_timeout = 60s;
  auto where = redis::to_address(parse_url(silent.url()).value()).value();
  auto wake = wake_event::make().value();
  std::unique_ptr<redis::connection> main;
  std::unique_ptr<redis::listener> x;
  // While it answers, nothing happens; unless it was stopped, by a busy machine, for
  // longer than it may take.
  auto lives = false;
  for (int i = 0; !lives && i < 100; ++i) {
    x.reset();
    main = redis::connection::open(where, options).value();
    x = redis::listener::open(*main, options, redis::own_changes::announced,
                              {10ms, 30ms})
          .value();
    lives = x->wait(wake, 50ms).has_value();
  }
  CAF_REQUIRE(lives);
  silent.pause();
  auto y = x->wait(wake, 60s);
  silent.resume();
  CAF_REQUIRE(!y);
  CAF_CHECK(y.error().code == errc::timeout);
}

// -- waking up ----------------------------------------------------------------

CAF_TEST(a_push_to_any_list_wakes_even_before_the_wait) {
  for (std::string list : {"q", "r",
                           "q\x06\x16"
                           "3",
                           "r\x06\x16"
                           "9"}) {
    ask({"FLUSHALL"});
    auto x = connect(options({"q", "r"}));
    CAF_CHECK(x->reserve(1).value().empty());
    outgoing_message message{queue_name{"r"}, 9, "m"};
    x->publish({&message, 1}).value();
    CAF_CHECK(x->wait(60s).has_value());
    CAF_CHECK_EQUAL(x->reserve(1).value().size(), 1u);
    // An announcement comes once; each empty reserve asks for another.
    CAF_CHECK(x->reserve(1).value().empty());
    ask({"LPUSH", list, "m"});
    auto start = std::chrono::steady_clock::now();
    CAF_CHECK(x->wait(60s).has_value());
    CAF_CHECK(std::chrono::steady_clock::now() - start < 30s);
    CAF_CHECK_EQUAL(x->reserve(1).value().size(), 1u);
  }
}

CAF_TEST(what_this_connection_puts_back_wakes_itself) {
  auto x = connect(options());
  CAF_CHECK(x->reserve(1).value().empty());
  outgoing_message message{queue_name{"q"}, 0, "m"};
  x->publish({&message, 1}).value();
  auto start = std::chrono::steady_clock::now();
  CAF_CHECK(x->wait(60s).has_value());
  CAF_CHECK(std::chrono::steady_clock::now() - start < 30s);
}

CAF_TEST(waiting_takes_no_message_and_costs_no_commands) {
  auto x = connect(options());
  CAF_CHECK(x->reserve(1).value().empty());
  auto before = ask({"INFO", "stats"});
  CAF_CHECK(x->wait(30ms).has_value());
  auto after = ask({"INFO", "stats"});
  auto commands = [](const std::string& info) {
    const std::string key = "total_commands_processed:";
    return std::stol(info.substr(info.find(key) + key.size()));
  };
  CAF_CHECK_EQUAL(commands(after) - commands(before), 1); // INFO itself
}

CAF_TEST_FIXTURE_SCOPE_END()
