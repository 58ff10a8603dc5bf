// What comes back over RabbitMQ after a connection was lost: what runs again, and
// what does not.
#define CAF_SUITE amqp_ledger

#include "tests/unit/dsl.hpp"

#include "protocol/broker/amqp/ledger.hpp"

using namespace umbel;
using namespace umbel::amqp;

using namespace std::chrono_literals;

using arrival = ledger::arrival;

namespace {

struct fixture {
  ledger x{"a@h/first/"};
  ledger::time_point t{};

  fixture() {
    x.on_channel_opened(t);
  }

  arrival comes(uint64_t number, uint64_t print, bool redelivered = false) {
    auto what = x.on_arrival(number, print, redelivered, t);
    if (what == arrival::fresh) {
      ledger::entry one;
      one.fingerprint = print;
      one.payload = std::to_string(print);
      x.add(number, std::move(one));
    }
    return what;
  }

  delivery_tag hand_out(uint64_t number, uint64_t print,
                        bool redelivered = false) {
    CAF_CHECK(comes(number, print, redelivered) == arrival::fresh);
    x.hand_out(number);
    return delivery_tag{x.tag(number)};
  }

  void settle(const delivery_tag& tag, verdict what = verdict::ack) {
    auto number = x.number_of(tag);
    CAF_REQUIRE(number.has_value());
    auto frames = x.settle({{*number, what}}, t);
    CAF_CHECK_EQUAL(frames.size(), 1u);
  }

  /// "ack ..3, nack 4": with all before 3.
  static std::string text(const std::vector<ledger::frame>& frames) {
    std::string result;
    for (auto& f : frames) {
      auto what = f.what == verdict::ack     ? "ack "
                  : f.what == verdict::nack  ? "nack "
                  : f.what == verdict::moved ? "moved "
                                             : "reject ";
      result += (result.empty() ? "" : ", ") + std::string{what};
      result += (f.multiple ? ".." : "") + std::to_string(f.number);
    }
    return result;
  }

  std::string frames(ledger::verdicts what) {
    return text(x.settle(std::move(what), t));
  }

  std::string overdue(size_t most = 100) {
    return text(x.overdue(t, most));
  }

  void reconnect(std::chrono::seconds later = std::chrono::seconds{1}) {
    x.on_channel_lost(t);
    t += later;
    x.on_channel_opened(t);
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(amqp_ledger_tests, fixture)

CAF_TEST(tags_are_numbered_over_all_channels) {
  auto first = hand_out(1, 11);
  hand_out(2, 12);
  CAF_CHECK_EQUAL(first.str(), "a@h/first/1");
  CAF_CHECK_EQUAL(x.number_of(first).value_or(0), 1u);
  reconnect();
  CAF_CHECK(!x.number_of(first));
  auto third = hand_out(1, 13);
  CAF_CHECK_EQUAL(third.str(), "a@h/first/3");
  CAF_CHECK(!x.number_of(delivery_tag{"b@h/first/3"}));
  CAF_CHECK(!x.number_of(delivery_tag{"a@h/first/3x"}));
}

CAF_TEST(what_is_not_handed_out_cannot_be_settled) {
  comes(1, 11);
  CAF_CHECK(x.claim(delivery_tag{x.tag(1)}) == nullptr);
  x.hand_out(1);
  auto* entry = x.claim(delivery_tag{x.tag(1)});
  CAF_REQUIRE(entry != nullptr);
  CAF_CHECK_EQUAL(entry->payload, "11");
}

CAF_TEST(a_run_at_the_beginning_is_settled_with_one_frame) {
  for (uint64_t i = 1; i <= 6; ++i)
    hand_out(i, 10 + i);
  CAF_CHECK_EQUAL(frames({{1, verdict::ack},
                          {2, verdict::ack},
                          {3, verdict::nack},
                          {5, verdict::reject}}),
                  "ack ..2, nack 3, reject 5");
  CAF_CHECK_EQUAL(x.open().size(), 2u);
  CAF_CHECK_EQUAL(frames({{4, verdict::nack}, {6, verdict::nack}}), "nack ..6");
}

CAF_TEST(an_acknowledgement_waits_for_those_before_it) {
  for (uint64_t i = 1; i <= 6; ++i)
    hand_out(i, 10 + i);
  auto tag = delivery_tag{x.tag(2)};
  CAF_CHECK_EQUAL(frames({{2, verdict::ack}, {3, verdict::ack}}), "");
  CAF_CHECK(x.claim(tag) == nullptr);
  CAF_CHECK_EQUAL(x.kept(), 2u);
  CAF_CHECK_EQUAL(frames({{5, verdict::ack}}), "");
  CAF_CHECK_EQUAL(frames({{1, verdict::ack}}), "ack ..3");
  CAF_CHECK_EQUAL(frames({{4, verdict::ack}}), "ack ..5");
  CAF_CHECK_EQUAL(frames({{6, verdict::ack}}), "ack 6");
  CAF_CHECK_EQUAL(x.kept(), 0u);
}

CAF_TEST(what_was_published_anew_does_not_wait) {
  hand_out(1, 11);
  hand_out(2, 12);
  CAF_CHECK_EQUAL(frames({{2, verdict::moved}}), "moved 2");
  CAF_CHECK_EQUAL(x.kept(), 0u);
}

CAF_TEST(what_goes_back_is_never_acknowledged_with_the_others) {
  for (uint64_t i = 1; i <= 5; ++i)
    hand_out(i, 10 + i);
  CAF_CHECK_EQUAL(frames({{2, verdict::ack}, {4, verdict::ack}}), "");
  // Not as a run: that would give back 2 and 4 as well.
  CAF_CHECK_EQUAL(frames({{1, verdict::nack}, {3, verdict::nack}}),
                  "nack 1, ack 2, nack 3, ack 4");
  CAF_CHECK_EQUAL(frames({{5, verdict::nack}}), "nack 5");
}

CAF_TEST(a_kept_acknowledgement_is_sent_in_time) {
  for (uint64_t i = 1; i <= 5; ++i)
    hand_out(i, 10 + i);
  CAF_CHECK(!x.due());
  frames({{5, verdict::ack}});
  auto due = t + ledger::keep_max;
  t += 1ms;
  frames({{2, verdict::ack}, {3, verdict::ack}});
  CAF_CHECK(x.due() == due);
  CAF_CHECK_EQUAL(overdue(), "");
  t = due;
  CAF_CHECK_EQUAL(overdue(), "ack 5");
  CAF_CHECK(x.due() == due + 1ms);
  CAF_CHECK_EQUAL(overdue(2), "");
  CAF_CHECK_EQUAL(overdue(1), "ack 2, ack 3"); // more than may be
  CAF_CHECK(!x.due());
  CAF_CHECK_EQUAL(frames({{1, verdict::ack}, {4, verdict::ack}}), "ack ..4");
}

CAF_TEST(what_was_kept_when_the_channel_was_lost_does_not_run_again) {
  hand_out(1, 11);
  hand_out(2, 12);
  frames({{2, verdict::ack}});
  reconnect();
  CAF_CHECK_EQUAL(x.kept(), 0u); // the number is another message's now
  CAF_CHECK(comes(1, 12, true) == arrival::done);
}

CAF_TEST(what_was_acknowledged_just_before_does_not_run_again) {
  settle(hand_out(1, 11));
  reconnect();
  CAF_CHECK(comes(1, 11, true) == arrival::done);
  CAF_CHECK(x.open().empty());
  // Once: whatever else is like it was sent by somebody on purpose.
  CAF_CHECK(comes(2, 11, true) == arrival::fresh);
}

CAF_TEST(what_is_acknowledged_again_is_remembered_again) {
  settle(hand_out(1, 11));
  for (int i = 0; i < 3; ++i) {
    reconnect();
    CAF_CHECK(comes(1, 11, true) == arrival::done);
  }
}

CAF_TEST(what_comes_back_over_a_living_channel_runs) {
  settle(hand_out(1, 11));
  CAF_CHECK(comes(2, 11, true) == arrival::fresh);
}

CAF_TEST(what_was_acknowledged_long_before_runs) {
  settle(hand_out(1, 11));
  t += acknowledged::before + std::chrono::seconds{1};
  settle(hand_out(2, 12));
  reconnect(std::chrono::hours{1}); // however long the server is away
  CAF_CHECK(comes(1, 11, true) == arrival::fresh);
  CAF_CHECK(comes(2, 12, true) == arrival::done);
}

CAF_TEST(what_comes_back_long_after_runs) {
  settle(hand_out(1, 11));
  reconnect();
  t += acknowledged::after + std::chrono::seconds{1};
  CAF_CHECK(comes(1, 11, true) == arrival::fresh);
}

CAF_TEST(a_message_that_is_sent_again_runs) {
  settle(hand_out(1, 11));
  hand_out(2, 11); // another one like it
  reconnect();
  CAF_CHECK(comes(1, 11, true) != arrival::done);
}

CAF_TEST(what_was_given_back_or_published_anew_runs) {
  settle(hand_out(1, 11), verdict::nack);
  settle(hand_out(2, 12), verdict::moved);
  settle(hand_out(3, 13), verdict::reject);
  auto tag = hand_out(4, 14);
  settle(tag);
  x.forget(tag);
  reconnect();
  for (uint64_t i = 1; i <= 4; ++i)
    CAF_CHECK(comes(i, 10 + i, true) == arrival::fresh);
}

CAF_TEST(messages_without_an_id_always_run) {
  settle(hand_out(1, 0));
  hand_out(2, 0);
  reconnect();
  CAF_CHECK(comes(1, 0, true) == arrival::fresh);
  CAF_CHECK(comes(2, 0, true) == arrival::fresh);
}

CAF_TEST(as_many_are_remembered_as_rabbitmq_may_forget) {
  settle(hand_out(1, 1));
  settle(hand_out(2, 2));
  for (uint64_t i = 3; i < acknowledged::most + 2; ++i)
    settle(hand_out(i, i));
  reconnect();
  CAF_CHECK(comes(1, 1, true) == arrival::fresh);
  CAF_CHECK(comes(2, 2, true) == arrival::done);
}

CAF_TEST(the_old_tag_of_a_running_task_holds_again) {
  auto old = hand_out(1, 11);
  comes(2, 12); // is not handed out
  reconnect();
  CAF_CHECK(!x.number_of(old));
  CAF_CHECK(comes(1, 12, true) == arrival::fresh);
  CAF_CHECK(comes(2, 11, true) == arrival::in_hand);
  CAF_REQUIRE_EQUAL(x.number_of(old).value_or(0), 2u);
  auto* entry = x.claim(old);
  CAF_REQUIRE(entry != nullptr);
  CAF_CHECK_EQUAL(entry->payload, "11");
  // It has no other.
  CAF_CHECK(!x.number_of(delivery_tag{x.tag(2)}));
  reconnect();
  CAF_CHECK(comes(1, 11, true) == arrival::in_hand);
  settle(old);
  CAF_CHECK(!x.number_of(old));
  CAF_CHECK(x.open().empty());
  reconnect();
  CAF_CHECK(comes(1, 11, true) == arrival::done);
}

CAF_TEST(a_task_that_has_been_given_up_comes_anew) {
  auto old = hand_out(1, 11);
  reconnect();
  CAF_CHECK(x.claim(old) == nullptr); // its outcome was not stored
  auto anew = hand_out(1, 11, true);
  CAF_CHECK(!x.number_of(old));
  CAF_CHECK(x.claim(anew) != nullptr);
}

CAF_TEST(a_task_that_ends_without_a_trace_is_acknowledged_when_it_comes_back) {
  auto old = hand_out(1, 11);
  reconnect();
  x.finish(old, t);
  CAF_CHECK(comes(1, 11, true) == arrival::done);
  // While it is in hand there is nothing to finish.
  auto now = hand_out(2, 12);
  x.finish(now, t);
  CAF_CHECK(x.number_of(now).has_value());
}

CAF_TEST(what_the_reader_has_not_received_is_not_in_hand) {
  auto received = hand_out(1, 11);
  hand_out(2, 12);
  auto lost = x.on_reader(2, true);
  CAF_CHECK_EQUAL(lost, (std::vector<uint64_t>{2}));
  x.on_channel_lost(t);
  CAF_CHECK(x.on_reader(2, false).empty());
  x.on_channel_opened(t);
  CAF_CHECK(comes(1, 12, true) == arrival::fresh);
  CAF_CHECK(comes(2, 11, true) == arrival::in_hand);
  // Nor is it lost to a reader that starts over.
  CAF_CHECK(x.on_reader(2, true).empty());
  CAF_CHECK(x.number_of(received).has_value());
}

CAF_TEST(of_twins_one_goes_on) {
  auto one = hand_out(1, 11);
  auto two = hand_out(2, 11);
  reconnect();
  CAF_CHECK(comes(1, 11, true) == arrival::in_hand);
  CAF_CHECK(comes(2, 11, true) == arrival::fresh);
  CAF_CHECK_EQUAL(x.number_of(one).value_or(0), 1u);
  CAF_CHECK(!x.number_of(two));
}

CAF_TEST_FIXTURE_SCOPE_END()
