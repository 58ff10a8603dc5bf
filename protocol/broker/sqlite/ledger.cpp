#include "protocol/broker/sqlite/ledger.hpp"

#include "protocol/broker/sqlite/statements.hpp"

#include <algorithm>
#include <numeric>

namespace umbel::sqlite {

namespace {

/// Whether it is in the same run; also if it is the same.
bool follows(const entry& x, const entry& y) {
  return x.owner == y.owner && x.sequence - y.sequence <= 1;
}

} // namespace

std::vector<std::optional<int64_t>>
take_reserved(database& db, std::span<const entry> entries) {
  std::vector<std::optional<int64_t>> result(entries.size());
  std::vector<size_t> order(entries.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, {}, [&](size_t i) { return entries[i]; });
  for (auto begin = order.begin(); begin != order.end();) {
    auto end = begin + 1;
    while (end != order.end() && follows(entries[*end], entries[*(end - 1)]))
      ++end;
    auto [owner, first] = entries[*begin];
    auto last = entries[*(end - 1)].sequence;
    {
      auto found = db.select(sql::reserved_between, owner, first, last);
      for (auto i = begin; found.next(); ++i) {
        while (entries[*i].sequence != found.integer(0))
          ++i;
        result[*i] = found.integer(1);
      }
    }
    db.run(sql::remove_reserved, owner, first, last);
    begin = end;
  }
  return result;
}

void remove_messages(database& db, std::vector<int64_t> ids) {
  std::ranges::sort(ids);
  for (auto begin = ids.begin(); begin != ids.end();) {
    auto end = begin + 1;
    while (end != ids.end() && *end == *(end - 1) + 1)
      ++end;
    db.run(sql::remove_messages, *begin, *(end - 1));
    begin = end;
  }
}

} // namespace umbel::sqlite
