#include "protocol/broker/scheme_advice.hpp"

namespace umbel {

std::string advice_on_scheme(std::string_view scheme) {
  auto one_of = [&](auto... names) { return ((scheme == names) || ...); };
  auto begins = [&](auto... starts) {
    return (scheme.starts_with(starts) || ...);
  };
  std::string shown{scheme};
  if (one_of("db", "database") || begins("db+", "database+"))
    return shown + ":// is Celery's database backend, which keeps results as "
                   "Python pickles; file:///folder is for Celery and Umbel "
                   "alike, sqlite:///path for Umbel alone";
  if (one_of("sqla", "sqlalchemy") || begins("sqla+", "sqlalchemy+"))
    return shown + ":// cannot be used: of SQLAlchemy's databases only SQLite "
                   "is known; write sqla+sqlite:///path";
  if (one_of("sqlite3") || begins("sqlite+"))
    return shown + ":// is not known; write sqlite:///path";
  if (one_of("sentinel"))
    return "sentinel:// is not known: Umbel does not ask Redis Sentinel; write "
           "redis://host:port/db";
  if (one_of("rabbitmq", "py-amqp"))
    return shown + ":// is not known; write amqp://user:password@host:port/vhost";
  return {};
}

} // namespace umbel
