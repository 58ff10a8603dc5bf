#include "protocol/backend/sqlite/result_rows.hpp"

#include "protocol/broker/sqlite/statements.hpp"

namespace umbel::sqlite {

void result_rows::store(const result_record& x) {
  auto time = now();
  std::optional<int64_t> expires;
  if (expires_.count() > 0)
    expires = to_number(time + expires_);
  db_->run(sql::make_way_for_result, x.id.str(), to_number(time));
  db_->run(sql::add_result, x.id.str(), is_success(x.document), expires,
           x.document);
  sweep(2);
}

std::optional<std::string> result_rows::fetch(const task_id& id) {
  auto found = db_->select(sql::result_document, id.str(), to_number(now()));
  if (found.next())
    return std::string{found.text(0)};
  return std::nullopt;
}

void result_rows::forget(const task_id& id) {
  db_->run(sql::remove_result, id.str());
}

void result_rows::sweep(size_t max) {
  db_->run(sql::remove_expired, to_number(now()), max);
}

} // namespace umbel::sqlite
