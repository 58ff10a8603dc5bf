#include "protocol/broker/sqlite/kombu_queues.hpp"

#include "protocol/broker/priority.hpp"
#include "protocol/broker/sqlite/kombu_statements.hpp"
#include "protocol/broker/sqlite/statements.hpp"

#include <algorithm>

namespace umbel::sqlite::kombu {

namespace {

// Rows of Python's that get their steps at one look: nobody else writes meanwhile.
constexpr int64_t steps_per_look = 1'000;

} // namespace

bool anything_waits(database& db, const queue_name& queue) {
  return db.number(sql::kombu::any_waiting, queue.str()).has_value();
}

std::optional<int64_t> count_waiting(database& db, const queue_name& queue) {
  return db.number(sql::kombu::count_waiting, queue.str());
}

std::vector<candidate> next_waiting(database& db, const queue_name& queue,
                                    size_t max, const std::vector<int>& steps) {
  std::vector<std::pair<int64_t, int64_t>> fresh;
  {
    auto found = db.select(sql::kombu::without_step, queue.str(),
                           steps_per_look);
    while (found.next())
      fresh.emplace_back(found.integer(0), found.integer(1));
  }
  for (auto& [id, priority] : fresh)
    db.run(sql::kombu::set_step, id,
           step_of(steps, static_cast<int>(
                            std::clamp<int64_t>(priority, 0, 9))));
  std::vector<candidate> result;
  auto found = db.select(sql::kombu::next_waiting, queue.str(), max);
  while (found.next())
    result.push_back({found.integer(0), 0, found.integer(1)});
  return result;
}

int64_t claim(database& db, const queue_name& queue, const candidate& x) {
  db.run(sql::kombu::copy_out, x.id, queue.str(), x.step);
  auto message = db.last_id();
  db.run(sql::kombu::remove, x.id);
  return message;
}

size_t purge_some(database& db, const queue_name& queue, size_t max) {
  return static_cast<size_t>(
    db.run(sql::kombu::remove_waiting, queue.str(), max));
}

void declare(database& db, const queue_name& queue) {
  db.run(sql::kombu::add_queue, queue.str());
}

void put(database& db, const outgoing_message& x, int step) {
  kombu::declare(db, x.queue);
  db.run(sql::kombu::push, x.queue.str(), step, x.payload);
}

void put_back(database& db, const queue_name& queue, int64_t message,
              place where) {
  kombu::declare(db, queue);
  db.run(where == place::first ? sql::kombu::push_front : sql::kombu::push_back,
         queue.str(), message);
  db.run(sql::remove_message, message);
}

} // namespace umbel::sqlite::kombu
