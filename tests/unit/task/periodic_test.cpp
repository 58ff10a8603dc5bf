#define CAF_SUITE periodic

#include "tests/unit/dsl.hpp"

#include "protocol/schedule/entry.hpp"
#include "protocol/task/registry.hpp"

using namespace umbel;
using namespace std::chrono_literals;

namespace {

/// What a beat makes of it.
std::string fault(const periodic_task& x) {
  auto entry = schedule::parse_entry(x.name(), x.definition(), {});
  return entry ? "none" : entry.error().what;
}

} // namespace

CAF_TEST(a periodic task is an entry of beat_schedule) {
  registry app;
  auto& x = app.add_periodic_task(every(90s), "tasks.add")
                .args(4, "x")
                .kwarg("y", 2.5)
                .options({{"queue", "slow"}})
                .relative()
                .catch_up("all");
  CAF_CHECK_EQUAL(to_json(x.definition()),
                  R"({"options": {"queue": "slow"}, "relative": true, )"
                  R"("catch_up": "all", "task": "tasks.add", "schedule": 90, )"
                  R"("args": [4, "x"], "kwargs": {"y": 2.5}})");
  CAF_CHECK_EQUAL(fault(x), "none");
  CAF_CHECK(!x.is_lazy());
  CAF_CHECK_EQUAL(app.periodic_tasks().size(), 1u);
}

CAF_TEST(each kind of schedule is understood) {
  registry app;
  CAF_CHECK_EQUAL(fault(app.add_periodic_task(every(200ms), "t")), "none");
  CAF_CHECK_EQUAL(fault(app.add_periodic_task(crontab("0 4 * * mon-fri"), "t")),
                  "none");
  CAF_CHECK_EQUAL(fault(app.add_periodic_task(
                      crontab({{"minute", "*/15"}, {"timezone", "Asia/Tokyo"}}),
                      "t")),
                  "none");
  CAF_CHECK_EQUAL(
      fault(app.add_periodic_task(solar("sunset", 52.5, 13.4), "t")), "none");
  CAF_CHECK_EQUAL(fault(app.add_periodic_task(crontab("x"), "t").name("n")),
                  "beat_schedule, entry 'n': crontab 'x': expected five fields, "
                  "minute hour day_of_month month_of_year day_of_week");
}

CAF_TEST(without a name it is called as it is written) {
  registry app;
  auto& x = app.add_periodic_task(every(1s), "tasks.add").args(4, "x");
  CAF_CHECK_EQUAL(x.name(), "tasks.add(4, 'x')");
  x.kwarg("y", lazy([] { return 1; }));
  CAF_CHECK_EQUAL(x.name(), "tasks.add(4, 'x', y=...)");
  CAF_CHECK_EQUAL(x.name("sums").name(), "sums");
}

CAF_TEST(lazy arguments are computed each time) {
  registry app;
  int calls = 0;
  auto& x = app.add_periodic_task(every(1s), "t")
                .args("fixed", lazy([&] { return ++calls; }));
  CAF_CHECK(x.is_lazy());
  CAF_CHECK(!x.definition().contains("args"));
  CAF_CHECK_EQUAL(calls, 0);
  CAF_CHECK_EQUAL(to_json(x.arguments().args), R"(["fixed", 1])");
  CAF_CHECK_EQUAL(to_json(x.arguments().args), R"(["fixed", 2])");
}
