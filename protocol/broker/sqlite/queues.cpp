#include "protocol/broker/sqlite/queues.hpp"

#include "protocol/broker/memory/binding.hpp"
#include "protocol/broker/sqlite/kombu_queues.hpp"
#include "protocol/broker/sqlite/statements.hpp"
#include "protocol/message/envelope.hpp"

#include <set>

namespace umbel::sqlite {

namespace {

void put_unmarked(database& db, int64_t message, place where) {
  std::string queue;
  int64_t step = 0;
  {
    auto found = db.select(sql::message_place, message);
    if (!found.next())
      return;
    queue = found.text(0);
    step = found.integer(1);
  }
  if (db.where().kombu)
    return kombu::put_back(db, queue_name{queue}, message, where);
  db.run(where == place::first ? sql::push_front : sql::push_back, queue, step,
         message);
}

} // namespace

// -- looking ------------------------------------------------------------------

bool anything_waits(database& db, const queue_name& queue) {
  if (db.where().kombu)
    return kombu::anything_waits(db, queue);
  return db.number(sql::any_waiting, queue.str()).has_value();
}

std::optional<int64_t> count_waiting(database& db, const queue_name& queue) {
  if (db.where().kombu)
    return kombu::count_waiting(db, queue);
  return db.number(sql::count_waiting, queue.str());
}

// -- taking -------------------------------------------------------------------

std::vector<candidate> next_waiting(database& db, const queue_name& queue,
                                    size_t max, const std::vector<int>& steps) {
  if (db.where().kombu)
    return kombu::next_waiting(db, queue, max, steps);
  std::vector<candidate> result;
  auto found = db.select(sql::next_waiting, queue.str(), max);
  while (found.next())
    result.push_back({found.integer(0), found.integer(1), found.integer(2)});
  return result;
}

int64_t claim(database& db, const queue_name& queue, const candidate& x) {
  return db.where().kombu ? kombu::claim(db, queue, x) : x.id;
}

// One statement for each step.
void end_claims(database& db, const queue_name& queue,
                std::span<const candidate> claimed) {
  if (db.where().kombu)
    return;
  for (size_t i = 0; i < claimed.size(); ++i)
    if (i + 1 == claimed.size() || claimed[i + 1].step != claimed[i].step)
      db.run(sql::take_waiting, queue.str(), claimed[i].step,
             claimed[i].position);
}

size_t purge_some(database& db, const queue_name& queue, size_t max) {
  if (db.where().kombu)
    return kombu::purge_some(db, queue, max);
  auto some = next_waiting(db, queue, max, {});
  for (auto& x : some)
    db.run(sql::remove_message, x.id);
  end_claims(db, queue, some);
  return some.size();
}

// -- putting ------------------------------------------------------------------

void declare(database& db, const queue_name& queue,
             const broker_options::binding& way) {
  db.run(sql::bind, way.exchange, way.routing_key,
         way.exchange_type == "topic" ? 1 : 0, queue.str());
  if (db.where().kombu)
    kombu::declare(db, queue);
}

void put(database& db, const outgoing_message& x, int step) {
  if (db.where().kombu)
    return kombu::put(db, x, step);
  db.run(sql::add_message, x.queue.str(), step, blob{x.payload});
  db.run(sql::push_back, x.queue.str(), step, db.last_id());
}

void put_back(database& db, int64_t message, place where) {
  std::optional<std::string> marked;
  {
    auto found = db.select(sql::message_payload, message);
    if (!found.next())
      return;
    if (auto text = mark_redelivered(found.text(0)))
      marked = std::move(*text);
  }
  if (marked)
    db.run(sql::replace_payload, message, blob{*marked});
  put_unmarked(db, message, where);
}

void put_first(database& db, int64_t message) {
  put_unmarked(db, message, place::first);
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

expected<binding_list> list_bindings(const std::string& url) {
  auto db = open_database(url, "");
  if (!db)
    return db.error();
  binding_list to;
  {
    auto found = (*db)->select(sql::all_bindings);
    while (found.next())
      to.bindings.push_back({std::string{found.text(0)},
                             std::string{found.text(1)},
                             std::string{found.text(2)}});
  }
  if (auto done = (*db)->outcome("list bindings"); !done)
    return done.error();
  return to;
}

} // namespace umbel::sqlite
