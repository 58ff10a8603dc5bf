#define CAF_SUITE document

#include "tests/unit/dsl.hpp"

#include "protocol/backend/document.hpp"

#include <cmath>

using namespace umbel;

namespace {

const auto done = parse_time("2026-11-23T11:45:16.169118Z").value();

} // namespace

CAF_TEST(success) {
  meta x;
  x.status = "SUCCESS";
  x.result = 8;
  x.date_done = done;
  x.task_id = "id-1";
  CAF_CHECK_EQUAL(to_document(x),
                  R"({"status": "SUCCESS", "result": 8, "traceback": null, )"
                  R"("children": [], "date_done": )"
                  R"("2026-11-23T11:45:16.169118+00:00", "task_id": "id-1"})");
}

CAF_TEST(all members stand in the order of Celery) {
  meta x;
  x.status = "FAILURE";
  x.result = to_json_object({"KeyError", {"k"}, "builtins", {}});
  x.traceback = "Traceback\n";
  x.children = json::array{json::array{json::array{"c", nullptr}, nullptr}};
  x.date_done = done;
  x.group_id = "g";
  x.parent_id = "p";
  x.extended = extended_info{"tasks.add",      {2, 3}, {{"k", 1}},
                             "celery@example", 1,      "celery"};
  x.task_id = "t";
  CAF_CHECK_EQUAL(
      to_document(x),
      R"({"status": "FAILURE", "result": {"exc_type": "KeyError", )"
      R"("exc_message": ["k"], "exc_module": "builtins"}, "traceback": )"
      R"("Traceback\n", "children": [[["c", null], null]], "date_done": )"
      R"("2026-11-23T11:45:16.169118+00:00", "group_id": "g", "parent_id": )"
      R"("p", "name": "tasks.add", "args": [2, 3], "kwargs": {"k": 1}, )"
      R"("worker": "celery@example", "retries": 1, "queue": "celery", )"
      R"("task_id": "t"})");
}

CAF_TEST(a state that is not final) {
  meta x;
  x.status = "PROGRESS";
  x.result = json::object{{"part", 0.5}, {"name", "\xff"}};
  x.children = std::nullopt;
  x.task_id = "t";
  CAF_CHECK_EQUAL(to_document(x),
                  R"({"status": "PROGRESS", "result": {"part": 0.5, "name": )"
                  R"("\ufffd"}, "traceback": null, "children": null, )"
                  R"("date_done": null, "task_id": "t"})");
}

CAF_TEST(results keep their types) {
  meta x;
  x.status = "SUCCESS";
  x.result = json::array{8.0, std::nan(""), nullptr, true, "8"};
  auto y = parse_json(to_document(x)).value();
  CAF_CHECK_EQUAL(to_json(y.at("result")), R"([8.0, NaN, null, true, "8"])");
}

CAF_TEST(exceptions as Python shows them) {
  auto repr = [](std::string type, json::array args) {
    return exception_info{std::move(type), std::move(args), "m", {}}.repr();
  };
  CAF_CHECK_EQUAL(repr("ValueError", {"text"}), "ValueError('text')");
  CAF_CHECK_EQUAL(repr("ValueError", {"it's"}), R"(ValueError("it's"))");
  CAF_CHECK_EQUAL(repr("E", {}), "E()");
  CAF_CHECK_EQUAL(repr("Outer.Inner", {1, 2.5}), "Inner(1, 2.5)");
  CAF_CHECK_EQUAL(repr("E", {json::array{1}}), "E([1])");
}

CAF_TEST(documents that a worker writes of its own accord) {
  auto text = [](const exception_info& x) {
    return to_json(to_json_object(x));
  };
  CAF_CHECK_EQUAL(text(worker_lost("signal 9 (SIGKILL)")),
                  R"({"exc_type": "WorkerLostError", "exc_message": )"
                  R"(["Worker exited prematurely: signal 9 (SIGKILL)."], )"
                  R"("exc_module": "billiard.exceptions"})");
  CAF_CHECK_EQUAL(text(not_registered("tasks.x")),
                  R"({"exc_type": "NotRegistered", "exc_message": )"
                  R"(["tasks.x"], "exc_module": "celery.exceptions"})");
  CAF_CHECK_EQUAL(text(task_revoked("expired")),
                  R"({"exc_type": "TaskRevokedError", "exc_message": )"
                  R"(["expired"], "exc_module": "celery.exceptions"})");
  CAF_CHECK_EQUAL(text(time_limit_exceeded(30)),
                  R"({"exc_type": "TimeLimitExceeded", "exc_message": [30], )"
                  R"("exc_module": "billiard.exceptions"})");
  CAF_CHECK_EQUAL(text(time_limit_exceeded(2.5)),
                  R"({"exc_type": "TimeLimitExceeded", "exc_message": [2.5], )"
                  R"("exc_module": "billiard.exceptions"})");
  CAF_CHECK_EQUAL(text({"E", {}, "", {}}),
                  R"({"exc_type": "E", "exc_message": [], )"
                  R"("exc_module": null})");
}
