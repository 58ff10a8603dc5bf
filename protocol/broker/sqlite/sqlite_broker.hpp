// The embedded broker: `sqlite:///path`. Workers and clients of one machine share
// a file; there is no server. With `sqla+sqlite:///path` the queues are kombu's tables,
// and Python takes part (kombu_queues.hpp); all else is the same.
//
// Every step that must not be torn is one transaction (README.md tells the story
// of one message); the SQL is in statements.hpp, the tables in schema.sql. Opened
// by `connect_broker`.
#pragma once

#include "protocol/backend/sqlite/result_rows.hpp"
#include "protocol/broker/broker.hpp"
#include "protocol/broker/sqlite/chords.hpp"
#include "protocol/broker/sqlite/bell.hpp"
#include "protocol/broker/sqlite/database.hpp"
#include "protocol/broker/sqlite/ledger.hpp"
#include "protocol/broker/sqlite/queues.hpp"
#include "protocol/broker/wake_event.hpp"

#include <map>
#include <memory>
#include <set>

namespace umbel {

/// Opens or makes the file of a SQLite URL.
/// @returns `invalid_setting` for what an operator has to repair
expected<std::unique_ptr<broker>>
connect_sqlite_broker(const std::string& url, const broker_options& options);

class sqlite_broker final : public broker {
public:
  // -- constructors, destructors ----------------------------------------------

  sqlite_broker(std::unique_ptr<sqlite::database> db, wake_event wake,
                const broker_options& options);

  // -- broker -----------------------------------------------------------------

  std::string location() const override;
  expected<std::vector<delivery>> reserve(size_t max) override;
  expected<void> wait(std::chrono::milliseconds timeout) override;
  expected<void> consume(std::span<const queue_name> queues) override;
  void interrupt() noexcept override;
  expected<std::vector<bool>>
  settle(std::span<const settlement> batch) override;
  bool stores_results() const override;
  bool counts_chords() const override;
  expected<std::vector<bool>>
  owned(std::span<const delivery_tag> tags) override;
  expected<void> renew(std::span<const delivery_tag> tags) override;
  lease_state lease() const override;
  expected<void> release() override;
  expected<recovery_report> recover() override;
  expected<forward_report> forward() override;
  expected<std::vector<turn>>
  take_turns(std::span<const turn_request> batch) override;
  expected<std::vector<std::string>>
  claim_keys(std::span<const key_claim> batch) override;
  expected<void>
  remember_revoked(std::span<const revoked_task> tasks) override;
  expected<std::vector<revoked_task>> revoked() override;
  expected<void> declare(std::span<const queue_name> queues) override;
  expected<void> publish(std::span<const outgoing_message> batch) override;
  expected<void> send_replies(std::span<const outgoing_message> batch) override;
  expected<size_t> publish(const std::string& exchange,
                           const std::string& routing_key,
                           const std::string& payload, int priority) override;
  expected<size_t> size(const queue_name& queue) override;
  expected<std::vector<dead_letter>> dead_letters(const queue_name& queue,
                                                  size_t max) override;
  expected<std::vector<queue_name>> dead_queues() override;
  expected<size_t> take_dead(const queue_name& queue,
                             std::span<const std::string> ids,
                             dead_fate fate) override;
  expected<size_t> purge(const queue_name& queue) override;

private:
  // -- reserving (sqlite_broker.cpp) ------------------------------------------

  /// The first messages of one queue, in their order.
  struct line {
    std::vector<sqlite::candidate> first;
    size_t taken = 0;

    bool has(int64_t step) const {
      return taken < first.size() && first[taken].step == step;
    }
  };

  expected<void> listen();
  bool anything_waits();
  std::optional<int64_t> hold_lease();
  void collect(int64_t owner, size_t max, std::vector<delivery>& result);
  size_t take(int64_t owner, size_t max);

  // -- settling (settling.cpp) ------------------------------------------------

  /// What those who wait have to be told of after the commit.
  struct news {
    bool messages = false;
    bool results = false;
  };

  int64_t owner_of(std::string_view name);
  sqlite::entry entry_of(const delivery_tag& tag);
  void acknowledge(std::span<const settlement> batch, news& told,
                   std::vector<bool>& result);
  bool settle_one(const settlement& x, news& told);
  void follow(const settlement& x, news& told);
  void carry_out(const workflow_steps& x, news& told);
  void note(const settlement& x);
  void put(const outgoing_message& x);
  void put_away(int64_t message, const settlement& x);
  void park(const queue_name& queue, const dead_letter& x);
  void tell(news x) const noexcept;

  // -- recovering (recovery.cpp) ----------------------------------------------

  bool anything_abandoned();
  template <class T>
  expected<size_t> restore(const char* which, int64_t first, const T& second);

  broker_options options_;
  std::unique_ptr<sqlite::database> db_;
  wake_event wake_;
  std::optional<sqlite::bell> bell_; // from the first reserve on
  std::string owner_;                // the head of our tags
  lease_state lease_ = lease_state::held; // what the last renewal found
  std::optional<sqlite::result_rows> results_; // if they are in this file
  std::optional<sqlite::chords> chords_;       // the same
  std::map<std::string, int64_t, std::less<>> owners_; // within a transaction
  uint64_t next_sequence_;
  size_t rotation_ = 0;        // the queue whose turn it is
  bool looked_behind_ = false; // has taken all that a predecessor left
  bool drained_ = false;       // the next message will be rung for
  std::chrono::milliseconds next_look_{0}; // or, if kombu's log was written, seen
};

} // namespace umbel
