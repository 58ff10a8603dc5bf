#include "protocol/broker/sqlite/queues.hpp"

#include "protocol/broker/memory/binding.hpp"
#include "protocol/broker/sqlite/statements.hpp"
#include "protocol/message/envelope.hpp"

#include <algorithm>
#include <set>

namespace umbel::sqlite {

int step_of(const std::vector<int>& steps, int priority) {
  int result = 0;
  for (auto step : steps)
    if (step <= std::clamp(priority, 0, 9))
      result = std::max(result, step);
  return result;
}

void put(database& db, const outgoing_message& x, int step) {
  db.run(sql::add_message, x.queue.str(), step, blob{x.payload});
  db.run(sql::push_back, x.queue.str(), step, db.last_id());
}

void put_back(database& db, int64_t message, place where) {
  std::string queue;
  int64_t step = 0;
  std::optional<std::string> marked;
  {
    auto found = db.select(sql::message_all, message);
    if (!found.next())
      return;
    queue = found.text(0);
    step = found.integer(1);
    if (auto text = mark_redelivered(found.text(2)))
      marked = std::move(*text);
  }
  if (marked)
    db.run(sql::replace_payload, message, blob{*marked});
  db.run(where == place::first ? sql::push_front : sql::push_back, queue, step,
         message);
}

void put_first(database& db, int64_t message) {
  std::string queue;
  int64_t step = 0;
  {
    auto found = db.select(sql::message_place, message);
    if (!found.next())
      return;
    queue = found.text(0);
    step = found.integer(1);
  }
  db.run(sql::push_front, queue, step, message);
}

std::vector<std::string> route(database& db, const std::string& exchange,
                               const std::string& routing_key) {
  if (exchange.empty())
    return {routing_key};
  std::set<std::string> result;
  auto found = db.select(sql::bindings, exchange);
  while (found.next()) {
    binding x{std::string{found.text(0)}, found.integer(1) == 1,
              queue_name{std::string{found.text(2)}}};
    if (x.matches(routing_key))
      result.insert(x.queue.str());
  }
  return {result.begin(), result.end()};
}

} // namespace umbel::sqlite
