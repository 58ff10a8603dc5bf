#include "protocol/broker/sqlite/uniqueness.hpp"

#include "protocol/message/time.hpp"

#include <utility>

namespace umbel::sqlite {

namespace {

// Times in microseconds since 1970.
namespace unique_sql {

constexpr auto make_keys
  = "CREATE TABLE IF NOT EXISTS unique_key ("
    "  name TEXT PRIMARY KEY, task TEXT NOT NULL, expires INTEGER NOT NULL"
    ") WITHOUT ROWID";

constexpr auto index_keys
  = "CREATE INDEX IF NOT EXISTS unique_key_expires ON unique_key (expires)";

constexpr auto remove_expired = "DELETE FROM unique_key WHERE expires <= ?1";

constexpr auto holder = "SELECT task FROM unique_key WHERE name = ?1";

constexpr auto take
  = "INSERT INTO unique_key (name, task, expires) VALUES (?1, ?2, ?3)"
    " ON CONFLICT (name) DO UPDATE SET expires = excluded.expires";

constexpr auto give_back
  = "DELETE FROM unique_key WHERE name = ?1 AND task = ?2";

} // namespace unique_sql

/// Keys of tasks and marks of what was published are in one table.
std::string name_of_key(const std::string& key) {
  return "key " + key;
}

std::string name_of_mark(const std::string& id) {
  return "id " + id;
}

/// @returns who has it; empty: nobody
std::string holder_of(database& db, const std::string& name) {
  auto found = db.select(unique_sql::holder, std::string_view{name});
  return found.next() ? std::string{found.text(0)} : std::string{};
}

void take(database& db, const std::string& name, const std::string& id,
          std::chrono::milliseconds held_for) {
  db.run(unique_sql::take, std::string_view{name}, std::string_view{id},
         (now() + held_for).time_since_epoch().count());
}

void prepare_keys(database& db) {
  db.run(unique_sql::make_keys);
  db.run(unique_sql::index_keys);
  db.run(unique_sql::remove_expired, now().time_since_epoch().count());
}

} // namespace

std::string check_publishing(database& db, const unique_terms& terms) {
  prepare_keys(db);
  auto mark = name_of_mark(terms.id);
  if (terms.once.count() > 0 && !holder_of(db, mark).empty())
    return terms.id;
  if (!terms.key.empty()) {
    auto name = name_of_key(terms.key);
    auto holder = holder_of(db, name);
    if (!holder.empty() && holder != terms.id)
      return holder;
    take(db, name, terms.id, terms.held_for);
  }
  if (terms.once.count() > 0)
    take(db, mark, terms.id, terms.once);
  return {};
}

expected<std::vector<std::string>>
claim_keys(database& db, std::span<const key_claim> batch) {
  std::vector<std::string> holders;
  transaction change{db};
  prepare_keys(db);
  for (auto& x : batch) {
    auto name = name_of_key(x.wanted.key);
    auto holder = holder_of(db, name);
    if (holder.empty()) {
      take(db, name, x.wanted.id, x.held_for);
      holder = x.wanted.id;
    }
    holders.push_back(std::move(holder));
  }
  if (auto done = change.commit("take the keys of unique tasks"); !done)
    return done.error();
  return holders;
}

void give_back(database& db, const unique_key& x) {
  prepare_keys(db);
  auto name = name_of_key(x.key);
  db.run(unique_sql::give_back, std::string_view{name}, std::string_view{x.id});
}

} // namespace umbel::sqlite
