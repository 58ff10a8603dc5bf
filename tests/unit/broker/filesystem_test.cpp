// What the conformance scenarios cannot see of folders: the journal, what is kept of
// processed messages, files of peers that are not complete, and broadcasts.
#define CAF_SUITE filesystem

#include "tests/unit/dsl.hpp"

#include "protocol/broker/subscription.hpp"
#include "tests/unit/broker/filesystem_world.hpp"

#include <fstream>
#include <thread>

using namespace umbel;
using namespace umbel::test;

namespace fs = std::filesystem;

namespace {

constexpr auto control_exchange = "celery.pidbox";
constexpr auto event_exchange = "celeryev";
constexpr auto patience = std::chrono::milliseconds{10'000};

class folder_fixture {
public:
  folder_fixture()
      : own(world.where().own), a(own + "/a"), b(own + "/b"), c(own + "/c"),
        staged(own + "/stage/s"), gone(own + "/gone") {
  }

  filesystem_world world;
  std::string own;
  std::string a;
  std::string b;
  std::string c;
  std::string staged;
  std::string gone;

  static void write(const std::string& path, const std::string& text) {
    filesystem::write_new(path, text).value();
  }

  static std::string text_of(const std::string& path) {
    return filesystem::read_file(path).value_or("(none)");
  }

  /// What a process leaves that was killed when it had committed.
  void leave_journal(std::vector<std::string> names) const {
    std::string text;
    for (auto& name : names)
      text += name + '\0';
    write(own + "/journal", text);
  }

  /// A file is moved, one is made and one is removed.
  void commit_three_changes() const {
    write(a, "moved");
    write(staged, "written");
    write(gone, "removed");
    leave_journal({a, b, staged, c, gone, ""});
  }

  void check_three_changes() const {
    CAF_CHECK(!fs::exists(own + "/journal"));
    CAF_CHECK(!fs::exists(a));
    CAF_CHECK(!fs::exists(staged));
    CAF_CHECK(!fs::exists(gone));
    CAF_CHECK_EQUAL(text_of(b), "moved");
    CAF_CHECK_EQUAL(text_of(c), "written");
    fs::remove(b);
    fs::remove(c);
  }

  expected<filesystem::transaction> begin() const {
    return filesystem::transaction::begin(own, patience);
  }
};

/// A message of Python's, as kombu names it.
std::string foreign_name(int number) {
  return std::to_string(number) + "_" + make_uuid() + ".q.msg";
}

} // namespace

CAF_TEST_FIXTURE_SCOPE(filesystem_tests, folder_fixture)

// -- the journal --------------------------------------------------------------

CAF_TEST(a_commit_leaves_no_journal_and_nothing_staged) {
  write(a, "moved");
  {
    auto change = begin().value();
    change.move(a, b);
    change.write("written", c);
    CAF_REQUIRE(change.commit().has_value());
  }
  CAF_CHECK_EQUAL(text_of(c), "written");
  CAF_CHECK_EQUAL(text_of(b), "moved");
  CAF_CHECK(!fs::exists(own + "/journal"));
  CAF_CHECK(fs::is_empty(own + "/stage"));
}

CAF_TEST(without_a_commit_nothing_has_happened) {
  write(a, "stays");
  {
    auto change = begin().value();
    change.move(a, b);
    change.write("written", c);
  }
  CAF_CHECK_EQUAL(text_of(a), "stays");
  CAF_CHECK(!fs::exists(b));
  CAF_CHECK(!fs::exists(c));
  CAF_CHECK(fs::is_empty(own + "/stage"));
}

CAF_TEST(whoever_comes_next_makes_the_changes_of_a_journal) {
  commit_three_changes();
  CAF_REQUIRE(begin().has_value());
  check_three_changes();
}

// Killed after each of its changes: the rest is made, and none of them twice.
CAF_TEST(a_journal_that_was_carried_out_in_part_is_completed) {
  for (auto made = 1; made <= 3; ++made) {
    commit_three_changes();
    fs::rename(a, b);
    if (made > 1)
      fs::rename(staged, c);
    if (made > 2)
      fs::remove(gone);
    CAF_REQUIRE(begin().has_value());
    check_three_changes();
  }
}

CAF_TEST(a_journal_that_cannot_be_carried_out_stays_and_is_an_error) {
  write(a, "moved");
  leave_journal({a, own + "/no/such/folder"});
  for (auto i = 0; i < 2; ++i) {
    auto change = begin();
    CAF_REQUIRE(!change.has_value());
    auto text = change.error().what;
    CAF_CHECK(text.find("cannot move '" + a + "'") != text.npos);
  }
  CAF_CHECK_EQUAL(text_of(a), "moved");
  fs::create_directories(own + "/no/such");
  CAF_CHECK(begin().has_value());
  CAF_CHECK_EQUAL(text_of(own + "/no/such/folder"), "moved");
}

// A settlement of many files, killed between its commit and its first change.
CAF_TEST(a_settlement_that_was_committed_is_carried_out_by_the_next_reader) {
  auto x = world.connect("a@h");
  publish(*x, {"1"});
  auto taken = reserve(*x);
  CAF_REQUIRE_EQUAL(taken.size(), 1u);
  std::string reserved;
  for (auto& entry : fs::directory_iterator{world.where().owner("a@h/a@h-first")})
    if (entry.path().filename() != "lease")
      reserved = entry.path();
  write(staged, message("2"));
  auto follow_up
    = world.where().in + '/'
      + filesystem::new_name(queue_name{"q"}, 0, filesystem::place::last);
  leave_journal({staged, follow_up, reserved, ""});
  auto y = world.connect("b@h");
  CAF_CHECK(ids_of(reserve(*y)) == std::vector<std::string>{"2"});
  CAF_CHECK(!settle(*x, settled(taken.front())));
}

CAF_TEST(who_holds_the_lock_too_long_is_named) {
  auto held = begin().value();
  auto x = filesystem::transaction::begin(own, std::chrono::milliseconds{5});
  CAF_REQUIRE(!x.has_value());
  CAF_CHECK(x.error().code == errc::timeout);
  auto text = x.error().what;
  CAF_CHECK(text.find("has kept the lock of '" + own) != text.npos);
}

// -- what is kept -------------------------------------------------------------

CAF_TEST(acknowledged_messages_are_kept_if_that_is_wished) {
  auto options = world.options("a@h");
  options.filesystem.store_processed = true;
  options.filesystem.processed_folder = own + "/../processed";
  auto x = world.connect(options);
  publish(*x, {"1", "2", "3"});
  auto taken = reserve(*x);
  CAF_REQUIRE_EQUAL(taken.size(), 3u);
  CAF_CHECK(fs::is_empty(options.filesystem.processed_folder));
  CAF_CHECK(settle(*x, settled(taken[0])));
  CAF_CHECK(settle(*x, settled(taken[1], disposition::restore)));
  std::vector<std::string> kept;
  for (auto& entry :
       fs::directory_iterator{options.filesystem.processed_folder}) {
    auto name = entry.path().filename().string();
    CAF_CHECK(filesystem::read_name(name, queue_name{"q"}).has_value());
    kept.push_back(id_of(text_of(entry.path())));
  }
  CAF_CHECK(kept == std::vector<std::string>{"1"});
}

CAF_TEST(by_default_nothing_is_kept_of_what_was_acknowledged) {
  auto x = world.connect("a@h");
  publish(*x, {"1"});
  for (auto& taken : reserve(*x))
    CAF_CHECK(settle(*x, settled(taken)));
  for (auto& entry : fs::recursive_directory_iterator{own})
    CAF_CHECK_EQUAL(entry.path().extension() == ".msg", false);
}

// -- files of peers -----------------------------------------------------------

// The last part of a long text comes when kombu has already unlocked the file.
CAF_TEST(a_file_of_which_the_end_is_missing_is_left_alone) {
  auto x = world.connect("a@h");
  auto text = message("1", 0, "q", std::string(20'000, 'x'));
  auto path = world.where().in + '/' + foreign_name(1);
  std::ofstream file{path};
  file << text.substr(0, 16'384) << std::flush;
  CAF_CHECK(reserve(*x).empty());
  file << text.substr(16'384) << std::flush;
  auto taken = reserve(*x);
  CAF_REQUIRE_EQUAL(taken.size(), 1u);
  CAF_CHECK(taken.front().payload == text);
}

CAF_TEST(a_file_that_is_no_message_is_taken_when_it_is_old) {
  auto x = world.connect("a@h");
  auto path = world.where().in + '/' + foreign_name(1);
  write(path, "{no message");
  CAF_CHECK(reserve(*x).empty());
  filesystem::set_time(path, now() - 1min);
  auto taken = reserve(*x);
  CAF_REQUIRE_EQUAL(taken.size(), 1u);
  CAF_CHECK_EQUAL(taken.front().payload, "{no message");
}

// -- broadcasts ---------------------------------------------------------------

CAF_TEST(whoever_listens_hears_each_broadcast_once_in_order) {
  auto x = world.connect("a@h");
  auto say = [&](const std::string& text) {
    return x->publish(control_exchange, "", '"' + text + '"', 0).value();
  };
  auto heard = [](subscription& from) {
    return from.next(0ms).value().value_or(broadcast{{}, "(nothing)"}).payload;
  };
  CAF_CHECK_EQUAL(say("before"), 0u);
  auto one = subscribe(world.url(), world.options("one@h"), control_exchange)
               .value();
  CAF_CHECK_EQUAL(say("1"), 1u);
  auto two = subscribe(world.url(), world.options("two@h"), control_exchange)
               .value();
  CAF_CHECK_EQUAL(say("2"), 2u);
  CAF_CHECK_EQUAL(heard(*one), R"("1")");
  CAF_CHECK_EQUAL(heard(*one), R"("2")");
  CAF_CHECK_EQUAL(heard(*one), "(nothing)");
  CAF_CHECK_EQUAL(heard(*two), R"("2")");
  say("3");
  two.reset();
  CAF_CHECK_EQUAL(say("4"), 1u);
  CAF_CHECK_EQUAL(x->size(queue_name{"two@h.celery.pidbox"}).value(), 0u);
  CAF_CHECK_EQUAL(heard(*one), R"("3")");
}

CAF_TEST(kombus_broadcasts_are_heard_when_they_are_complete) {
  auto one = subscribe(world.url(), world.options("one@h"), control_exchange)
               .value();
  auto path = world.where().in + "/1_" + make_uuid() + ".one@h.celery.pidbox.msg";
  std::ofstream file{path};
  for (auto part : {"", "\"half", " a command"}) {
    file << part << std::flush;
    CAF_CHECK(!one->next(0ms).value().has_value());
  }
  std::thread peer{[&] {
    file << '"';
    file.close();
  }};
  auto heard
    = one->next(20s).value().value_or(broadcast{{}, "(nothing)"}).payload;
  peer.join();
  CAF_CHECK_EQUAL(heard, "\"half a command\"");
  CAF_CHECK(!fs::exists(path));
}

CAF_TEST(a_subscription_can_be_closed_and_is_no_longer_bound) {
  auto one = subscribe(world.url(), world.options("one@h"), control_exchange)
               .value();
  auto table = world.where().control + "/celery.pidbox.exchange";
  CAF_CHECK_EQUAL(text_of(table), R"([["","","one@h.celery.pidbox"]])");
  std::thread closer{[&] { one->close(); }};
  CAF_CHECK(!one->next(20s).value().has_value());
  closer.join();
  CAF_CHECK(!one->next(20s).value().has_value());
  one.reset();
  CAF_CHECK_EQUAL(text_of(table), "[]");
}

CAF_TEST(broadcasts_to_one_who_was_killed_do_not_pile_up) {
  auto x = world.connect("a@h");
  filesystem::bind(world.where().control, control_exchange, "", "",
                   queue_name{"gone"})
    .value();
  auto say = [&] { x->publish(control_exchange, "", "1", 0).value(); };
  auto left = [&] { return x->size(queue_name{"gone"}).value(); };
  for (auto i = 0; i < 3; ++i)
    say();
  CAF_CHECK_EQUAL(left(), 3u);
  for (auto& name : filesystem::list(world.where().out))
    filesystem::set_time(world.where().out + '/' + name, now() - 10min);
  x = world.connect("b@h"); // the other one has just looked
  say();
  CAF_CHECK_EQUAL(left(), 1u);
}

CAF_TEST(events_go_to_those_who_want_their_kind) {
  auto x = world.connect("a@h");
  auto say = [&](const char* key) {
    return x->publish(event_exchange, key, '"' + std::string{key} + '"', 0)
      .value();
  };
  auto heard = [](subscription& from) {
    return from.next(0ms).value().value_or(broadcast{{}, "(nothing)"}).payload;
  };
  CAF_CHECK_EQUAL(say("worker.online"), 0u);
  auto all = subscribe(world.url(), world.options("one@h"), event_exchange, "#")
               .value();
  auto workers = subscribe(world.url(), world.options("two@h"), event_exchange,
                           "worker.#")
                   .value();
  CAF_CHECK_EQUAL(say("task.multi"), 1u);
  CAF_CHECK_EQUAL(say("worker.heartbeat"), 2u);
  CAF_CHECK_EQUAL(heard(*all), R"("task.multi")");
  CAF_CHECK_EQUAL(heard(*all), R"("worker.heartbeat")");
  CAF_CHECK_EQUAL(heard(*workers), R"("worker.heartbeat")");
  // As kombu 5.3 has it in its table.
  auto table = text_of(world.where().control + "/celeryev.exchange");
  CAF_CHECK(table.find(R"(["worker.#","^worker\\..*?$","celeryev.)")
            != std::string::npos);
  // One who was killed is forgotten with what he has not read.
  say("task.multi");
  for (auto& name : filesystem::list(world.where().out))
    filesystem::set_time(world.where().out + '/' + name, now() - 10min);
  world.connect("b@h")->publish(event_exchange, "task.multi", "1", 0).value();
  CAF_CHECK_EQUAL(say("task.multi"), 0u);
}

CAF_TEST_FIXTURE_SCOPE_END()
