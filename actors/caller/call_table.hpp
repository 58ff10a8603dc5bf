// The calls of running tasks to other tasks that have no result yet.
//
// Shared by the caller, which publishes and waits for them, and by everybody
// who runs tasks. It outlives the caller: when a connection is lost, the next
// caller finds here what there is to wait for.
#pragma once

#include "protocol/backend/result_listener.hpp"
#include "protocol/task/task_caller.hpp"

#include <caf/actor.hpp>

#include <map>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

namespace umbel {

/// Thread-safe.
class call_table final : public task_caller {
public:
  // -- for those who call -------------------------------------------------------

  uint64_t call(task_id id, outgoing_message message, handler f) override;

  void forget(uint64_t number) override;

  void ask(question x, answer_handler f) override;

  // -- for the caller -----------------------------------------------------------

  /// To be woken from now on; null for nobody.
  void attach(caf::actor caller);

  /// Whose wait to end when there is something new; null for none.
  void attach(result_listener* listener);

  struct unsent {
    task_id id;
    outgoing_message message;
  };

  /// Calls that were not published yet.
  std::vector<unsent> to_publish() const;

  void published(const std::vector<unsent>& calls);

  /// Ids that were published and have no result yet.
  std::vector<task_id> waiting() const;

  /// Ids whose results nobody waits for any more, once each.
  std::vector<task_id> take_forgotten();

  /// From now on, what is new wakes the caller again.
  /// @returns whether there is something to do
  bool begin_round();

  /// Whether nobody waits.
  bool empty() const;

  /// Whether there is nothing to publish, to wait for or to forget.
  bool idle() const;

  /// Hands over the document of an end, if somebody waits for it.
  void finish(const task_id& id, expected<std::string> document);

  /// Hands over the same error to all.
  void fail_all(const error& why);

  struct unanswered {
    uint64_t number;
    question what;
  };

  /// Questions without an answer, the oldest first.
  std::vector<unanswered> questions() const;

  void answer(uint64_t number, expected<std::vector<std::string>> texts);

private:
  struct entry {
    uint64_t number;
    outgoing_message message; ///< its payload is dropped once it is published
    handler f;
    bool published = false;
  };

  void wake();

  mutable std::mutex mutex_;
  std::unordered_map<task_id, entry> entries_;
  std::unordered_map<uint64_t, task_id> numbers_;
  std::vector<task_id> forgotten_;
  std::map<uint64_t, std::pair<question, answer_handler>> questions_;
  uint64_t last_number_ = 0;
  bool woken_ = false; ///< the caller has been told that something is new
  caf::actor caller_;
  result_listener* listener_ = nullptr;
};

/// The calls changed: look at the table.
struct calls_changed {};

} // namespace umbel

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(umbel::calls_changed)
