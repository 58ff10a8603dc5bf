// Eager mode of a program that has tasks itself: what it sends runs where it is sent,
// on its thread, with all that follows from it, and no broker is asked (Celery's
// task_always_eager and Task.apply). For tests.
//
//  1. Runs messages one after another, as a worker of one thread would; a retry is at
//     once. What a task calls and awaits runs within it (protocol/task/eager.hpp).
//  2. Keeps results in memory, where the app finds them; and in its result store, if
//     task_store_eager_result says so.
//  3. Chords are joined by celery.chord_unlock.
//
// Thread-safe. Used by app_core alone.
#pragma once

#include "protocol/backend/result_store.hpp"
#include "protocol/task/registry.hpp"
#include "protocol/task/settings.hpp"
#include "protocol/task/task_caller.hpp"

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace umbel {

struct outcome;

class eager_runs final : public task_caller {
public:
  using stores = std::vector<std::unique_ptr<result_store>>;

  /// @param results where results go; the first one is read, too
  eager_runs(std::shared_ptr<const registry> tasks, runner_settings settings,
             stores results);

  /// Runs these and what follows from them.
  /// @returns the document of the first exception, null if there was none
  expected<json::value> run(std::span<const outgoing_message> messages);

  // -- what tasks ask for while they run ------------------------------------------

  uint64_t call(task_id id, outgoing_message message, handler f) override;
  void forget(uint64_t number) override;
  void ask(question x, answer_handler f) override;

private:
  class run_sink;
  struct series;

  expected<void> run_next(series& in);
  expected<void> give_up_chord(series& in, const std::string& payload);
  expected<void> store(std::vector<result_record> records);
  std::string document_of(const outcome& x, const task_id& id) const;

  const std::shared_ptr<const registry> tasks_;
  const runner_settings settings_;
  std::mutex mutex_;
  stores results_;
};

/// Tasks that a program runs itself: Celery's own ones, and what `fill` adds, such as
/// `umbel_register_tasks` of a task library that it links.
std::shared_ptr<const registry>
make_registry(const std::function<void(registry&)>& fill = {});

} // namespace umbel
