// RabbitMQ for the conformance suite, whose scenarios ask for what is there. RabbitMQ
// sends it unasked: here it is waited for, and what was sent ahead and not asked for
// goes back. As a worker's writer does, results are stored before their settlement.
#pragma once

#include "tests/unit/broker/rabbitmq_world.hpp"
#include "tests/unit/broker/wrapped_broker.hpp"

#include <atomic>
#include <map>
#include <set>
#include <string>

namespace umbel::test {

class awaited_rabbitmq_broker final : public wrapped_broker {
public:
  /// @param held how many deliveries all of a world's connections have in hand
  awaited_rabbitmq_broker(std::unique_ptr<broker> inner,
                          std::vector<queue_name> queues,
                          std::unique_ptr<result_store> results,
                          std::shared_ptr<std::atomic<size_t>> held)
      : wrapped_broker(std::move(inner)), queues_(std::move(queues)),
        results_(std::move(results)), held_(std::move(held)) {
    // nop
  }

  ~awaited_rabbitmq_broker() override {
    *held_ -= mine_.size();
  }

  expected<std::vector<delivery>> reserve(size_t max) override {
    std::vector<delivery> result;
    for (int quiet = 0; quiet < quiet_looks && result.size() < max;) {
      auto arrived = inner().reserve(max - result.size());
      if (!arrived)
        return arrived;
      auto waiting = count_waiting();
      if (!waiting)
        return waiting.error();
      quiet = arrived->empty() && *waiting == 0 ? quiet + 1 : 0;
      for (auto& x : *arrived) {
        mine_.insert(x.tag);
        ++*held_;
        result.push_back(std::move(x));
      }
    }
    if (auto done = inner().pause(); !done)
      return done.error();
    return result;
  }

  expected<void> wait(std::chrono::milliseconds timeout) override {
    if (auto begun = inner().reserve(0); !begun) // consumes again
      return begun.error();
    return inner().wait(timeout);
  }

  expected<void> consume(std::span<const queue_name> queues) override {
    queues_.assign(queues.begin(), queues.end());
    return inner().consume(queues);
  }

  expected<std::vector<bool>>
  settle(std::span<const settlement> batch) override {
    std::vector<settlement> rest{batch.begin(), batch.end()};
    for (auto& x : rest) {
      auto mine = inner().owned({&x.tag, 1});
      if (!mine)
        return mine;
      if (x.result && (x.how == disposition::none || mine->front()))
        if (auto done = results_->store({&*x.result, 1}); !done)
          return done.error();
      x.result.reset();
    }
    auto effects = inner().settle(rest);
    if (effects)
      for (size_t i = 0; i < rest.size(); ++i)
        if ((*effects)[i] && rest[i].how != disposition::none)
          *held_ -= mine_.erase(rest[i].tag);
    return effects;
  }

  expected<void> release() override {
    *held_ -= mine_.size();
    mine_.clear();
    return inner().release();
  }

private:
  /// Nothing has come and nothing waits, so often: it may be on its way from the
  /// queue to the socket. An answer to a look takes the server as long as that.
  static constexpr int quiet_looks = 3;

  expected<size_t> count_waiting() {
    size_t result = 0;
    for (auto& queue : queues_)
      if (auto found = inner().size(queue))
        result += *found;
      else
        return found;
    return result;
  }

  std::vector<queue_name> queues_;
  std::unique_ptr<result_store> results_;
  std::shared_ptr<std::atomic<size_t>> held_;
  std::set<delivery_tag> mine_;
};

class awaited_rabbitmq_world final : public rabbitmq_world {
public:
  using rabbitmq_world::connect;

  /// Scenarios that cannot take place here, and why.
  static const std::map<std::string, std::string>& cannot();

  std::unique_ptr<broker> connect(const broker_options& given) const override {
    auto options = given;
    options.prefetch = 1; // as little ahead as can be
    options.delay_queue_type = "classic"; // quicker to make
    options.queue_arguments.emplace("", R"({"x-max-priority": 9})");
    return std::make_unique<awaited_rabbitmq_broker>(
        rabbitmq_world::connect(options), options.queues, results(), held_);
  }

  bool zero_is_urgent() const override {
    return false;
  }

  bool has_leases() const override {
    return false;
  }

  /// It says whether there was one.
  size_t told(size_t queues) const override {
    return std::min<size_t>(queues, 1);
  }

  /// Properties that the sender has not given are there all the same.
  bool same(const std::string& x, const std::string& y) const override {
    auto a = json::parse(x).as_object(), b = json::parse(y).as_object();
    a.erase("properties");
    b.erase("properties");
    return a == b;
  }

  size_t delayed() override {
    return std::stoul(ask_queues(
        "X || [{name, {_, _, _, <<\"celery_delayed_\", _/binary>>}}, "
        "{messages, X}]",
        "[name, messages]"));
  }

  /// Acknowledgements are not answered: in the end it is as many as are in hand.
  size_t unacknowledged() override {
    auto found = rabbitmq_world::unacknowledged();
    for (int i = 0; i < 6'000 && found != *held_; ++i) {
      moment();
      found = rabbitmq_world::unacknowledged();
    }
    return found;
  }

private:
  std::shared_ptr<std::atomic<size_t>> held_
      = std::make_shared<std::atomic<size_t>>(0);
};

inline const std::map<std::string, std::string>&
awaited_rabbitmq_world::cannot() {
  constexpr auto own_order = "every number is a priority of its own, and every "
                             "queue has its own order";
  constexpr auto made_anew = "an envelope is made anew from a message's parts";
  constexpr auto no_lease = "the lease is the connection, and RabbitMQ recovers";
  constexpr auto by_itself = "what is delayed comes back by itself";
  constexpr auto as_it_was = "RabbitMQ does not change what it has sent";
  constexpr auto forgets = "there is no place for revocations";
  static const std::map<std::string, std::string> table{
      // queues
      {"priority_0_comes_first_and_priorities_of_one_step_in_order", own_order},
      {"an_urgent_message_of_any_queue_comes_before_others", own_order},
      {"queues_take_turns_within_a_batch_and_between_batches",
       "what has arrived first is handed out first"},
      {"an_exchange_that_is_not_there_leads_nowhere", "that is an error"},
      {"a_topic_exchange_serves_every_queue_whose_pattern_matches",
       "patterns are matched by words"},
      {"bytes_that_are_no_envelope_are_delivered_and_can_be_settled", made_anew},
      // settling
      {"results_are_stored_where_the_result_url_is_this_server",
       "it has no results"},
      {"a_message_that_is_no_envelope_goes_back_as_it_is", made_anew},
      {"dead_letters_are_kept_newest_first_with_reason_and_payload", made_anew},
      {"what_comes_back_may_have_been_changed", as_it_was},
      {"a_note_in_the_ledger_comes_back_when_the_owner_dies", as_it_was},
      {"queues_with_dead_letters_are_known", "nobody can ask for its queues"},
      {"dead_letters_are_discarded", "nobody can ask for its queues"},
      {"dead_letters_have_a_time_and_an_id_of_their_own",
       "it does not say since when"},
      // leases
      {"recover_restores_what_a_dead_owner_left_and_names_it", no_lease},
      {"recovered_messages_keep_their_priority", no_lease},
      {"after_recovery_the_old_owner_settles_without_effect", no_lease},
      {"recoverers_that_race_restore_each_message_once", no_lease},
      {"release_gives_up_the_lease_at_once", no_lease},
      {"another_life_of_the_same_node_is_another_owner", no_lease},
      {"what_a_python_peer_left_is_restored_after_the_timeout", no_lease},
      {"a_tag_that_is_renewed_is_safe_from_the_visibility_timeout", no_lease},
      {"a_message_that_is_no_envelope_is_recovered_as_it_is", no_lease},
      {"a_new_connection_gets_what_its_predecessor_did_not_read",
       "it comes under new tags"},
      {"what_was_not_read_is_given_once_by_the_first_reserve",
       "it comes under new tags"},
      // delays
      {"nothing_delayed_is_nothing_to_do", by_itself},
      {"a_delayed_message_comes_back_when_it_is_due_and_not_before", by_itself},
      {"the_report_says_when_the_next_one_is_due", by_itself},
      {"due_messages_are_consumed_first_in_the_order_of_their_due_times",
       by_itself},
      {"a_delayed_message_keeps_priority_queue_and_redelivered_mark", by_itself},
      {"a_delay_is_fenced_and_may_be_sent_twice", by_itself},
      {"a_delayed_message_outlives_whoever_delayed_it", by_itself},
      {"a_due_message_is_not_recovered_as_an_abandoned_one", by_itself},
      {"purging_a_queue_leaves_what_is_not_due", by_itself},
      {"a_time_in_the_year_9999_is_far_off", by_itself},
      {"many_due_messages_are_put_back_by_many_at_once_each_by_one", by_itself},
      {"a_delayed_message_may_come_back_in_another_form", by_itself},
      // rates
      {"all_nodes_share_a_limit", "each node counts for itself"},
      // waiting
      {"wait_takes_no_message", "messages are sent unasked"},
      // revoked
      {"what_was_revoked_is_known_to_others_the_oldest_first", forgets},
      {"the_later_time_of_a_revocation_counts", forgets},
      {"revocations_are_forgotten_after_a_week", forgets},
      {"the_oldest_of_too_many_revocations_are_forgotten", forgets},
  };
  return table;
}

} // namespace umbel::test
