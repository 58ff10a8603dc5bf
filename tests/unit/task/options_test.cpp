#define CAF_SUITE options

#include "tests/unit/dsl.hpp"

#include "protocol/task/options.hpp"
#include "protocol/task/registry.hpp"

using namespace umbel;
using namespace std::chrono_literals;

namespace {

template <class Exception, class F>
bool throws(F f) {
  try {
    f();
  } catch (const Exception&) {
    return true;
  }
  return false;
}

void nop() {
  // nop
}

std::string text_of(const task_options& x) {
  return json::serialize(to_json_object(x));
}

/// There and back again.
task_options sent(const task_options& x) {
  return parse_task_options(to_json_object(x)).value();
}

std::string complaint(const json::value& x) {
  auto result = parse_task_options(x);
  return result ? "" : result.error().what;
}

} // namespace

CAF_TEST(defaults are not written) {
  registry app;
  auto& task = app.task("tasks.nop", nop);
  CAF_CHECK_EQUAL(text_of(task.options()), R"({"name":"tasks.nop"})");
  auto back = sent(task.options());
  CAF_CHECK(back.max_retries == 3);
  CAF_CHECK_EQUAL(back.default_retry_delay.count(), 180'000);
  CAF_CHECK(back.retry_jitter);
  CAF_CHECK(!back.acks_late);
}

CAF_TEST(every option travels) {
  registry app;
  auto& task = app.task("t", nop)
                   .acks_late()
                   .acks_on_failure_or_timeout(false)
                   .reject_on_worker_lost()
                   .ignore_result()
                   .store_errors_even_if_ignored()
                   .track_started()
                   .max_retries(5)
                   .default_retry_delay(1500ms)
                   .time_limit(30s)
                   .soft_time_limit(20.5s)
                   .rate_limit("10/m")
                   .rate_limit_scope(rate_scope::cluster)
                   .rate_limit_key("tenant")
                   .retry_backoff(2s)
                   .retry_backoff_max(60s)
                   .retry_jitter(false);
  auto back = sent(task.options());
  CAF_CHECK_EQUAL(text_of(back), text_of(task.options()));
  CAF_CHECK(back.acks_late == true);
  CAF_CHECK(back.acks_on_failure_or_timeout == false);
  CAF_CHECK(back.reject_on_worker_lost == true);
  CAF_CHECK(back.ignore_result == true);
  CAF_CHECK(back.store_errors_even_if_ignored == true);
  CAF_CHECK(back.track_started == true);
  CAF_CHECK(back.max_retries == 5);
  CAF_CHECK(back.default_retry_delay == 1500ms);
  CAF_CHECK(back.time_limit == 30s);
  CAF_CHECK(back.soft_time_limit == 20500ms);
  CAF_CHECK_EQUAL(back.rate_limit.value_or(""), "10/m");
  CAF_CHECK(back.rate_limit_scope == rate_scope::cluster);
  CAF_CHECK_EQUAL(back.rate_limit_key, "tenant");
  CAF_CHECK(back.retry_backoff);
  CAF_CHECK(back.retry_backoff_factor == 2s);
  CAF_CHECK(back.retry_backoff_max == 60s);
  CAF_CHECK(!back.retry_jitter);
  CAF_CHECK(
      !sent(app.task("u", nop).unlimited_retries().options()).max_retries);
}

CAF_TEST(options of other languages) {
  auto x = parse_task_options({{"name", "t"},
                               {"retry_backoff", true},
                               {"color", 7},
                               {"time_limit", 1}});
  CAF_CHECK(x->retry_backoff);
  CAF_CHECK(x->retry_backoff_factor == 1s);
  CAF_CHECK(x->time_limit == 1s);
  CAF_CHECK_NOT_EQUAL(complaint(5), "");
  CAF_CHECK_NOT_EQUAL(complaint(json::object{}), "");
  CAF_CHECK_EQUAL(
      complaint({{"name", "t"}, {"acks_late", 1}}),
      "option 'acks_late' of task 't' is missing or of the wrong type");
  CAF_CHECK_NOT_EQUAL(complaint({{"name", "t"}, {"time_limit", -1}}), "");
  CAF_CHECK_NOT_EQUAL(complaint({{"name", "t"}, {"time_limit", 1e300}}), "");
  CAF_CHECK_NOT_EQUAL(complaint({{"name", "t"}, {"max_retries", 1.5}}), "");
  CAF_CHECK_NOT_EQUAL(complaint({{"name", "t"}, {"rate_limit", "10/d"}}), "");
  CAF_CHECK_NOT_EQUAL(complaint({{"name", "t"}, {"rate_limit_scope", "x"}}), "");
}

CAF_TEST(wrong options fail where they are written) {
  registry app;
  auto& task = app.task("t", nop);
  CAF_CHECK(throws<std::invalid_argument>(
      [&] { static_cast<void>(task.rate_limit("-1/s")); }));
  CAF_CHECK(throws<std::invalid_argument>(
      [&] { static_cast<void>(task.rate_limit("10/d")); }));
  CAF_CHECK(throws<std::invalid_argument>(
      [&] { static_cast<void>(task.rate_limit("x/s")); }));
  CAF_CHECK(throws<std::invalid_argument>(
      [&] { static_cast<void>(task.time_limit(-1s)); }));
  CAF_CHECK(throws<std::invalid_argument>(
      [&] { static_cast<void>(task.max_retries(-1)); }));
  CAF_CHECK(
      throws<std::logic_error>([&] { static_cast<void>(app.task("t", nop)); }));
  CAF_CHECK(
      throws<std::logic_error>([&] { static_cast<void>(app.task("", nop)); }));
}
