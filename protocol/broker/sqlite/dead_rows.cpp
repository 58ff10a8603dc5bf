// The part of sqlite_broker that looks at dead letters, and takes them.
#include "protocol/broker/dead_letter.hpp"
#include "protocol/broker/priority.hpp"
#include "protocol/broker/sqlite/queues.hpp"
#include "protocol/broker/sqlite/sqlite_broker.hpp"
#include "protocol/broker/sqlite/statements.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace umbel {

using namespace sqlite;

namespace {

// A number alone may be given again when the newest is taken.
std::string id_of(const queue_name& queue, int64_t number, int64_t at) {
  return dead_letter_id(fmt::format("{}/{}/{}", queue.str(), number, at));
}

} // namespace

expected<std::vector<dead_letter>>
sqlite_broker::dead_letters(const queue_name& queue, size_t max) {
  std::vector<dead_letter> result;
  {
    auto found = db_->select(sql::newest_dead, queue.str(), max);
    while (found.next())
      result.push_back(
        {std::string{found.text(0)}, std::string{found.text(1)},
         id_of(queue, found.integer(2), found.integer(3)),
         timestamp{std::chrono::microseconds{found.integer(3)}}});
  }
  if (auto done = db_->outcome("read dead letters"); !done)
    return done.error();
  return result;
}

expected<std::vector<queue_name>> sqlite_broker::dead_queues() {
  std::vector<queue_name> result;
  {
    auto found = db_->select(sql::dead_queues);
    while (found.next())
      result.emplace_back(std::string{found.text(0)});
  }
  if (auto done = db_->outcome("look for dead letters"); !done)
    return done.error();
  return result;
}

expected<size_t> sqlite_broker::take_dead(const queue_name& queue,
                                          std::span<const std::string> ids,
                                          dead_fate fate) {
  transaction change{*db_};
  std::vector<int64_t> numbers;
  {
    auto found = db_->select(sql::all_dead, queue.str());
    while (found.next())
      if (auto id = id_of(queue, found.integer(0), found.integer(1));
          std::ranges::find(ids, id) != ids.end())
        numbers.push_back(found.integer(0));
  }
  for (auto number : numbers) {
    if (fate == dead_fate::replay) {
      std::string payload;
      if (auto found = db_->select(sql::dead_payload, queue.str(), number);
          found.next())
        payload = found.text(0);
      auto message = replayed(queue, payload);
      put(message);
    }
    db_->run(sql::remove_dead, queue.str(), number);
  }
  if (auto done = change.commit("take dead letters"); !done)
    return done.error();
  if (fate == dead_fate::replay && !numbers.empty())
    ring(db_->where().path, topic::messages);
  return numbers.size();
}

} // namespace umbel
