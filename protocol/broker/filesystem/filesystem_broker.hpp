// A broker in folders that kombu's `filesystem://` transport shares: messages are
// files, and Python clients and workers put them there and take them.
//
//  1. What kombu does not do is done under a lock and with a journal that only Umbel
//     knows (transaction.hpp): a settlement is one step, and fenced.
//  2. A message is reserved by renaming its file into the owner's folder. It is
//     never nowhere, and what a killed owner left is put back.
//  3. Of a file of kombu's nothing is read before its writer has closed it.
//  4. Idle consumers sleep until inotify tells them of a file.
//
// It has no server: the clock is each machine's own. All that take part must be on
// one machine, or on a shared file system whose flock and rename hold, and then
// each notices what others wrote when its wait ends.
#pragma once

#include "protocol/backend/file/result_folder.hpp"
#include "protocol/broker/broker.hpp"
#include "protocol/broker/filesystem/folders.hpp"
#include "protocol/broker/filesystem/transaction.hpp"
#include "protocol/broker/filesystem/watch.hpp"
#include "protocol/broker/wake_event.hpp"

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace umbel {

class filesystem_broker final : public broker {
public:
  filesystem_broker(filesystem::folders where, filesystem::watch arrivals,
                    wake_event wake, const broker_options& options);

  std::string location() const override;
  expected<std::vector<delivery>> reserve(size_t max) override;
  expected<void> wait(std::chrono::milliseconds timeout) override;
  expected<void> consume(std::span<const queue_name> queues) override;
  void interrupt() noexcept override;
  expected<std::vector<bool>> settle(std::span<const settlement> batch) override;
  bool stores_results() const override;
  expected<std::vector<bool>>
  owned(std::span<const delivery_tag> tags) override;
  expected<void> renew(std::span<const delivery_tag> tags) override;
  expected<void> release() override;
  expected<recovery_report> recover() override;
  expected<forward_report> forward() override;
  expected<std::vector<turn>>
  take_turns(std::span<const turn_request> batch) override;
  expected<void> declare(std::span<const queue_name> queues) override;
  expected<void> publish(std::span<const outgoing_message> batch) override;
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
  /// A file in an owner's folder.
  struct entry {
    std::string path;
    std::string name; ///< of the message
    int step = 0;
  };

  using entries = std::map<uint64_t, entry>; ///< by sequence number
  using ledger = std::map<std::string, entries, std::less<>>; ///< by owner

  struct batch_state;

  expected<filesystem::transaction> begin();
  expected<void> hold_lease();
  expected<void> extend_lease();
  bool is_dead(const std::string& folder) const;
  static entries read_entries(const std::string& folder);
  const entries& entries_of(ledger& known, const std::string& owner) const;
  std::optional<entry> find(ledger& known, const delivery_tag& tag) const;

  std::optional<int> step_of_foreign(const std::string& name);
  std::vector<filesystem::message_file> look(const queue_name& queue);
  void reclaim(size_t max, std::vector<delivery>& result);
  expected<void> take(size_t max, std::vector<delivery>& result);
  expected<bool> take_one(const queue_name& queue,
                          const filesystem::message_file& file,
                          std::vector<delivery>& result);

  expected<bool> settle_one(filesystem::transaction& change, batch_state& state,
                  const settlement& x);
  void put_away(filesystem::transaction& change, const entry& what,
                const settlement& x);
  void sweep_mailboxes(const std::string& exchange,
                       const std::set<queue_name>& mailboxes);
  expected<void> put(filesystem::transaction& change, const outgoing_message& x);
  void put_back(filesystem::transaction& change, const entry& what,
                filesystem::place where,
                std::optional<std::string> payload = std::nullopt) const;
  void trim_dead(const queue_name& queue) const;

  broker_options options_;
  filesystem::folders where_;
  filesystem::watch arrivals_;
  wake_event wake_;
  std::optional<file_backend::result_folder> results_; ///< if on the same disk
  std::string owner_;  ///< "<node>/<incarnation>"
  std::string mine_;   ///< its folder
  uint64_t next_sequence_;
  size_t rotation_ = 0;
  bool looked_behind_ = false; ///< whether the predecessor's are all reclaimed
  bool drained_ = false;       ///< whether the last `reserve` found the end
  /// When what nobody takes from mailboxes was looked for.
  std::optional<std::chrono::steady_clock::time_point> swept_;
  std::map<std::string, int> foreign_; ///< steps of complete files of kombu's
};

/// @returns `invalid_setting` for folders that cannot be used
expected<std::unique_ptr<broker>>
connect_filesystem_broker(const std::string& url, const broker_options& options);

} // namespace umbel
