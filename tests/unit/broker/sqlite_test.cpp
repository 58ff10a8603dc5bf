// What is particular to the embedded broker: its file, its bells, its broadcasts.
#define CAF_SUITE sqlite

#include "tests/unit/dsl.hpp"

#include "protocol/broker/sqlite/bell.hpp"
#include "protocol/broker/sqlite/sqlite_subscription.hpp"
#include "tests/unit/broker/sqlite_world.hpp"

#include <fstream>
#include <random>
#include <set>
#include <thread>

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace umbel;
using namespace umbel::test;
using strings = std::vector<std::string>;
using real_time = std::chrono::steady_clock;

namespace {

error refusal(const std::string& url) {
  auto x = connect_broker(url, {});
  CAF_REQUIRE(!x.has_value());
  CAF_CHECK(x.error().what.find('\n') == std::string::npos);
  return x.error();
}

bool refuses(const std::string& url, const std::string& why) {
  auto x = refusal(url);
  CAF_CHECK(x.code == errc::invalid_setting);
  auto found = x.what.find(why) != std::string::npos;
  if (!found)
    CAF_ERROR(x.what);
  return found;
}

std::unique_ptr<subscription> listen(const world& w,
                                     const std::string& exchange) {
  return subscribe(w.url(), w.options("a@h"), exchange).value();
}

std::string heard(subscription& x, std::chrono::milliseconds timeout = 0ms) {
  return x.next(timeout).value().value_or(broadcast{{}, "(nothing)"}).payload;
}

} // namespace

// -- the URL and the file -----------------------------------------------------

CAF_TEST(what_follows_the_scheme_is_the_path) {
  auto path = [](const char* text) {
    return sqlite::to_address(parse_url(text).value()).value().path;
  };
  auto here = std::filesystem::current_path().string();
  CAF_CHECK_EQUAL(path("sqlite:///tmp/x.db"), "/tmp/x.db");
  CAF_CHECK_EQUAL(path("sqlite:////tmp/x.db"), "/tmp/x.db");
  CAF_CHECK_EQUAL(path("sqlite:///tmp/%C3%BC x/../y.db"), "/tmp/y.db");
  CAF_CHECK_EQUAL(path("sqlite://x.db"), here + "/x.db");
  CAF_CHECK_EQUAL(path("sqlite://./sub/x.db"), here + "/sub/x.db");
}

CAF_TEST(a_url_that_cannot_be_meant_is_refused) {
  for (auto url : {"sqlite://", "sqlite:///", "sqlite:///tmp/", "sqlite://:memory:"})
    CAF_CHECK(refusal(url).code == errc::invalid_setting);
  CAF_CHECK(refuses("sqlite://user:secret@h/x.db", "no user, password"));
  CAF_CHECK(refuses("sqlite:///tmp/x.db?synchronous=off", "normal or full"));
  CAF_CHECK(refuses("sqlite:///tmp/x.db?timeout=soon", "number of seconds"));
  CAF_CHECK(refuses("sqlite:///tmp/x.db?sync=full", "no option 'sync'"));
}

CAF_TEST(a_renewal_says_what_became_of_the_lease) {
  sqlite_world w;
  auto options = w.options("a@h");
  options.lease = 1h;
  auto x = w.connect(options);
  auto end = [&] { w.open()->run("UPDATE owner SET lease = 1"); };
  auto state = [&] {
    x->renew({}).value();
    return static_cast<int>(x->lease());
  };
  CAF_CHECK_EQUAL(state(), static_cast<int>(lease_state::lost)); // the first one
  CAF_CHECK_EQUAL(state(), static_cast<int>(lease_state::held));
  end();
  CAF_CHECK_EQUAL(state(), static_cast<int>(lease_state::lapsed));
  CAF_CHECK_EQUAL(state(), static_cast<int>(lease_state::held));
  end();
  w.connect("b@h")->recover().value();
  CAF_CHECK_EQUAL(state(), static_cast<int>(lease_state::lost));
  CAF_MESSAGE("who does not keep it himself reserves nothing without it");
  options.lease_is_kept = true;
  auto reader = w.connect(options);
  publish(*x, {"1"});
  end();
  auto refused = reader->reserve(1);
  CAF_REQUIRE(!refused);
  CAF_CHECK(refused.error().code == errc::unavailable);
  state();
  reader = w.connect(options);
  CAF_CHECK_EQUAL(reader->reserve(1).value().size(), 1u);
}

CAF_TEST(a_key_prefix_is_refused) {
  sqlite_file file;
  broker_options options;
  options.global_keyprefix = "p";
  auto x = connect_broker(file.url(), options);
  CAF_REQUIRE(!x.has_value());
  CAF_CHECK(x.error().code == errc::invalid_setting);
}

CAF_TEST(a_file_that_cannot_be_used_is_refused_and_left_as_it_is) {
  sqlite_file file;
  CAF_CHECK(refuses("sqlite://" + file.folder() + "/no/x.db", "no folder"));
  CAF_CHECK(refuses("sqlite://" + file.folder(), "a folder"));
  std::string text(5'000, 'x');
  std::ofstream{file.path()} << text;
  CAF_CHECK(refuses(file.url(), "not a database"));
  std::ifstream left{file.path()};
  CAF_CHECK(std::string(std::istreambuf_iterator<char>{left}, {}) == text);
}

CAF_TEST(a_database_of_somebody_else_is_refused) {
  sqlite_file file;
  file.open()->run("PRAGMA application_id = 1970102892"); // of a --statedb
  CAF_CHECK(refuses(file.url(), "not one of this broker"));
}

CAF_TEST(a_newer_version_is_refused) {
  sqlite_file file;
  file.open()->run("PRAGMA user_version = 4");
  CAF_CHECK(refuses(file.url(), "version 4"));
}

CAF_TEST(a_file_of_version_1_is_brought_up_to_date) {
  sqlite_file file;
  {
    auto old = file.open();
    old->run("DROP TABLE revoked");
    old->run("PRAGMA user_version = 1");
  }
  auto x = connect_broker(file.url(), {}).value();
  revoked_task task{task_id{"1"}, umbel::now()};
  CAF_CHECK(x->remember_revoked({&task, 1}).has_value());
  CAF_CHECK_EQUAL(x->revoked().value().size(), 1u);
}

CAF_TEST(a_truncated_file_is_refused) {
  sqlite_file file;
  file.open().reset();
  std::filesystem::resize_file(file.path(), 6'000);
  auto x = connect_broker(file.url(), {});
  CAF_REQUIRE(!x.has_value());
  CAF_CHECK(x.error().what.find("malformed") != std::string::npos);
}

CAF_TEST(many_may_make_one_file_at_once) {
  sqlite_file file;
  strings failures[8];
  std::vector<std::thread> threads;
  for (auto& mine : failures)
    threads.emplace_back([&] {
      for (int j = 0; j < 5; ++j)
        if (auto x = sqlite::open_database(file.url(), {}); !x)
          mine.push_back(x.error().what);
    });
  for (auto& t : threads)
    t.join();
  for (auto& x : failures)
    CAF_CHECK_EQUAL(x, strings{});
}

CAF_TEST(who_waits_too_long_for_others_is_told_so) {
  sqlite_file file;
  auto other = file.open();
  sqlite::transaction change{*other};
  auto x = connect_broker(file.url() + "?timeout=0.05", {}).value();
  auto sent = to("q", "1");
  auto done = x->publish({&sent, 1});
  CAF_REQUIRE(!done.has_value());
  CAF_CHECK(done.error().code == errc::timeout);
  CAF_CHECK_EQUAL(done.error().what, "cannot publish messages in " + file.url()
                                       + ": others have kept it locked for "
                                         "0.05 s");
}

CAF_TEST(a_full_disk_is_an_error_and_nothing_is_half_done) {
  sqlite_file file;
  auto db = file.open();
  db->number("PRAGMA max_page_count = 60");
  expected<void> done;
  int count = 0;
  while (done && count < 1'000) {
    sqlite::transaction change{*db};
    sqlite::put(*db, to("q", std::to_string(++count)), 0);
    sqlite::put(*db, to("q", std::to_string(++count)), 0);
    done = change.commit("publish messages");
  }
  CAF_REQUIRE(!done.has_value());
  CAF_CHECK(done.error().what.find("full") != std::string::npos);
  auto waiting = db->number(sqlite::sql::count_waiting, "q").value_or(-1);
  CAF_CHECK_EQUAL(waiting, count - 2);
  db->number("PRAGMA max_page_count = 6000");
  sqlite::transaction change{*db};
  sqlite::put(*db, to("q", "room again"), 0);
  CAF_CHECK(change.commit("publish messages").has_value());
}

CAF_TEST(a_file_that_was_deleted_or_replaced_is_noticed) {
  sqlite_world w;
  auto x = w.connect("a@h");
  CAF_CHECK(reserve(*x).empty());
  CAF_CHECK(x->wait(0ms).has_value());
  std::filesystem::remove(w.url().substr(9));
  auto sent = to("q", "1");
  for (auto done : {x->wait(10s), x->renew({}), x->publish({&sent, 1})}) {
    CAF_REQUIRE(!done.has_value());
    CAF_CHECK(done.error().code == errc::unavailable);
    CAF_CHECK(done.error().what.find("deleted") != std::string::npos);
  }
}

// -- bells --------------------------------------------------------------------

CAF_TEST(a_bell_that_was_deleted_is_made_again) {
  sqlite_world w;
  auto x = w.connect("a@h");
  auto y = w.connect("b@h");
  CAF_CHECK(reserve(*x).empty());
  std::filesystem::remove(
    sqlite::bell_path(w.url().substr(9), sqlite::topic::messages));
  x->wait(0ms).value();
  std::thread producer{[&] { publish(*y, {"1"}); }};
  auto start = real_time::now();
  while (reserve(*x).empty() && real_time::now() - start < 20s)
    x->wait(1min).value();
  producer.join();
  CAF_CHECK_LESS(real_time::now() - start, 20s);
}

CAF_TEST(any_program_can_ring_by_touching_the_file) {
  sqlite_world w;
  auto x = w.connect("a@h");
  CAF_CHECK(reserve(*x).empty());
  auto path = w.url().substr(9) + "-messages";
  std::thread other{[&] { utimensat(AT_FDCWD, path.c_str(), nullptr, 0); }};
  auto start = real_time::now();
  x->wait(1min).value();
  other.join();
  CAF_CHECK_LESS(real_time::now() - start, 20s);
}

CAF_TEST(a_bell_belongs_to_whom_the_database_belongs_to) {
  sqlite_file file;
  file.open().reset();
  chmod(file.path().c_str(), 0660);
  auto path = sqlite::bell_path(file.path(), sqlite::topic::results);
  auto x = sqlite::bell::open(file.path(), sqlite::topic::results);
  CAF_REQUIRE(x.has_value());
  struct stat found {};
  stat(path.c_str(), &found);
  CAF_CHECK_EQUAL(found.st_mode & 0777, 0660u);
  CAF_CHECK_EQUAL(found.st_size, 0);
}

// -- broadcasts ---------------------------------------------------------------

CAF_TEST(whoever_listens_hears_each_broadcast_once_in_order) {
  sqlite_world w;
  auto x = w.connect("a@h");
  auto say = [&](const char* exchange, const char* text) {
    return x->publish(exchange, "", text, 0).value();
  };
  CAF_CHECK_EQUAL(say("celery.pidbox", "before"), 0u);
  auto one = listen(w, "celery.pidbox");
  CAF_CHECK_EQUAL(say("celery.pidbox", "1"), 1u);
  auto two = listen(w, "celery.pidbox");
  auto events = listen(w, "celeryev");
  CAF_CHECK_EQUAL(say("celery.pidbox", "2"), 2u);
  CAF_CHECK_EQUAL(say("celeryev", "event"), 1u);
  CAF_CHECK_EQUAL(heard(*one), "1");
  CAF_CHECK_EQUAL(heard(*one), "2");
  CAF_CHECK_EQUAL(heard(*one), "(nothing)");
  CAF_CHECK_EQUAL(heard(*two), "2");
  CAF_CHECK_EQUAL(heard(*events), "event");
  two.reset();
  CAF_CHECK_EQUAL(say("celery.pidbox", "3"), 1u);
  CAF_CHECK_EQUAL(heard(*one), "3");
}

CAF_TEST(one_listener_hears_commands_and_workers_and_no_tasks) {
  sqlite_world w;
  auto x = w.connect("a@h");
  auto node = listen(w, "celery.pidbox");
  node->add("celeryev", "worker.#").value();
  auto monitor = listen(w, "celeryev");
  auto say = [&](const char* exchange, const char* key) {
    return x->publish(exchange, key, key, 0).value();
  };
  CAF_CHECK_EQUAL(say("celeryev", "worker.online"), 2u);
  CAF_CHECK_EQUAL(say("celeryev", "task.multi"), 1u);
  CAF_CHECK_EQUAL(say("celery.pidbox", "command"), 1u);
  CAF_CHECK_EQUAL(heard(*node), "command");
  CAF_CHECK_EQUAL(heard(*node), "worker.online");
  CAF_CHECK_EQUAL(heard(*node), "(nothing)");
  CAF_CHECK_EQUAL(heard(*monitor), "task.multi");
  CAF_CHECK_EQUAL(heard(*monitor), "worker.online");
}

CAF_TEST(a_broadcast_wakes_who_waits_for_it_and_so_does_the_end) {
  sqlite_world w;
  auto x = w.connect("a@h");
  auto one = listen(w, "celery.pidbox");
  auto start = real_time::now();
  std::thread speaker{[&] { x->publish("celery.pidbox", "", "1", 0).value(); }};
  CAF_CHECK_EQUAL(heard(*one, 20s), "1");
  speaker.join();
  // It would look by itself after 5 s.
  CAF_CHECK_LESS(real_time::now() - start, 5s);
  start = real_time::now();
  std::thread closer{[&] { one->close(); }};
  CAF_CHECK_EQUAL(heard(*one, 1min), "(nothing)");
  closer.join();
  CAF_CHECK_EQUAL(heard(*one, 1min), "(nothing)"); // and every later one
  CAF_CHECK_LESS(real_time::now() - start, 20s);
}

CAF_TEST(an_exchange_keeps_a_bounded_number_of_broadcasts) {
  sqlite_file file;
  auto db = file.open();
  {
    sqlite::transaction change{*db};
    for (int i = 0; i < 10'050; ++i)
      db->run(sqlite::sql::add_broadcast, "celery.pidbox", sqlite::blob{"x"});
    change.commit("fill").value();
  }
  sqlite::publish_broadcast(*db, "celery.pidbox", "last").value();
  auto kept = db->number("SELECT count(*) FROM broadcast").value_or(-1);
  CAF_CHECK_EQUAL(kept, 10'000);
}

CAF_TEST(a_mailbox_gets_what_is_sent_to_its_key_and_leaves_nothing_behind) {
  sqlite_world w;
  auto x = w.connect("a@h");
  auto say = [&](const char* key, const char* text) {
    return x->publish("reply.celery.pidbox", key, text, 0).value();
  };
  auto open = [&](const char* key) {
    return open_mailbox(w.url(), w.options("a@h"), "reply.celery.pidbox", key)
      .value();
  };
  CAF_CHECK_EQUAL(say("me", "nobody"), 0u);
  auto me = open("me");
  auto you = open("you");
  CAF_CHECK_EQUAL(say("me", "1"), 1u);
  CAF_CHECK_EQUAL(say("you", "2"), 1u);
  CAF_CHECK_EQUAL(say("you", "3"), 1u);
  CAF_CHECK_EQUAL(heard(*me), "1");
  CAF_CHECK_EQUAL(heard(*me), "(nothing)");
  CAF_CHECK_EQUAL(heard(*you), "2");
  you.reset();
  me.reset();
  auto db = sqlite::open_database(w.url(), "").value();
  CAF_CHECK_EQUAL(db->number("SELECT count(*) FROM broadcast").value_or(-1), 0);
  CAF_CHECK_EQUAL(db->number("SELECT count(*) FROM subscriber").value_or(-1), 0);
}

CAF_TEST(events_are_written_for_listeners_and_commands_for_those_who_are_away) {
  sqlite_world w;
  auto x = w.connect("a@h");
  auto db = sqlite::open_database(w.url(), "").value();
  auto rows = [&] {
    return db->number("SELECT count(*) FROM broadcast").value_or(-1);
  };
  CAF_CHECK_EQUAL(x->publish("celeryev", "k", "x", 0).value(), 0u);
  CAF_CHECK_EQUAL(rows(), 0);
  auto paused = listen(w, "celery.pidbox");
  db->run("UPDATE subscriber SET lease = 0");
  CAF_CHECK_EQUAL(x->publish("celery.pidbox", "", "y", 0).value(), 0u);
  CAF_CHECK_EQUAL(heard(*paused), "y");
}
