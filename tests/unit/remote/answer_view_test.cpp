#define CAF_SUITE answer_view

#include "apps/remote/answer_view.hpp"

#include "tests/unit/dsl.hpp"

using namespace umbel;

namespace {

using answers = std::vector<node_answer>;

node_answer says(const char* node, const std::string& value) {
  return {node_name{node}, parse_json(value).value(),
          std::chrono::microseconds{1'500}};
}

std::string shown(answer_form form, const answers& x) {
  return show_answers(form, x, timestamp{std::chrono::seconds{100}});
}

} // namespace

CAF_TEST(words) {
  CAF_CHECK_EQUAL(shown(answer_form::word, {says("a", R"({"ok": "pong"})"),
                                            says("b", "null"),
                                            says("c", R"({"error": "no"})")}),
                  "NODE  ANSWER\n"
                  "a     pong\n"
                  "b     done\n");
  CAF_CHECK_EQUAL(shown(answer_form::word, {says("c", R"({"error": "no"})")}),
                  "");
  CAF_CHECK_EQUAL(show_status(answers{says("a", R"({"ok": "pong"})")}),
                  "NODE  STATUS  ANSWERED AFTER\n"
                  "a     online  1.5 ms\n");
}

CAF_TEST(tasks) {
  CAF_CHECK_EQUAL(
    shown(answer_form::tasks,
          {says("a", R"-([{"id": "1", "name": "t", "args": [1, "x"],
                          "kwargs": {"k": true}, "time_start": 97.5,
                          "worker_pid": 7},
                         {"id": "2", "name": "t", "args": "(1,)",
                          "kwargs": "{}", "time_start": null}])-"),
           says("b", "[]")}),
    "NODE  ID  TASK  ARGS      KWARGS       RUNS   PROCESS\n"
    "a     1   t     (1, 'x')  {'k': True}  2.5 s  7\n"
    "a     2   t     (1,)      {}           -      -\n");
  CAF_CHECK_EQUAL(shown(answer_form::tasks, {says("b", "[]")}), "");
}

CAF_TEST(tasks that wait and tasks that were asked for) {
  CAF_CHECK_EQUAL(shown(answer_form::waiting,
                        {says("a", R"([{"eta": "12:00", "request":
                          {"id": "1", "name": "t", "args": [], "kwargs": {}}}])")}),
                  "NODE  ETA    ID  TASK  ARGS  KWARGS\n"
                  "a     12:00  1   t     ()    {}\n");
  CAF_CHECK_EQUAL(shown(answer_form::found,
                        {says("a", R"({"1": ["active", {"id": "1", "name": "t",
                          "args": [], "kwargs": {}}]})")}),
                  "NODE  ID  STATE   TASK  ARGS  KWARGS\n"
                  "a     1   active  t     ()    {}\n");
}

CAF_TEST(fields within fields) {
  CAF_CHECK_EQUAL(shown(answer_form::fields,
                        {says("a", R"({"pid": 3, "pool": {"size": 2,
                                       "processes": [4, 5]}, "none": {}})")}),
                  "a\n"
                  "  pid             3\n"
                  "  pool.size       2\n"
                  "  pool.processes  [4, 5]\n"
                  "  none            {}\n");
}

CAF_TEST(pages) {
  CAF_CHECK_EQUAL(shown(answer_form::page, {says("a", R"({"ok": "x\n\ny"})"),
                                            says("b", "3")}),
                  "a\n  x\n\n  y\n\nb\n  3\n");
}

CAF_TEST(trees) {
  CAF_CHECK_EQUAL(
    shown(answer_form::tree,
          {says("a", R"({"id": "root", "alive": true, "answered": true,
                         "mailbox": 0, "state": "runs", "children": [
                           {"id": "x", "alive": true, "answered": false,
                            "children": [{"id": "y", "alive": false}]},
                           {"id": "z", "alive": true, "answered": true,
                            "mailbox": 2, "state": "", "children": []}]})")}),
    "a\n"
    "  root (mailbox 0): runs\n"
    "  |- x: no answer\n"
    "  |  `- y: not alive\n"
    "  `- z (mailbox 2)\n");
}

CAF_TEST(whatever is answered is shown) {
  for (auto form : {answer_form::word, answer_form::names, answer_form::tasks,
                    answer_form::waiting, answer_form::found,
                    answer_form::queues, answer_form::fields, answer_form::page,
                    answer_form::tree})
    for (auto value : {"null", "1", "\"\\u001b[2J\"", "[]", "[null, [], {}, 1]",
                       "{}", R"({"ok": {}})", R"({"a": [1]})", R"({"a": []})",
                       R"({"children": [1], "id": []})"}) {
      auto text = shown(form, {says("\x1b", value)});
      CAF_CHECK_EQUAL(text.find('\x1b'), std::string::npos);
    }
}

CAF_TEST(for programs) {
  CAF_CHECK_EQUAL(answers_as_json(answers{says("a", "[1]"), says("b", "null")}),
                  R"({"a": [1], "b": null})");
  CAF_CHECK_EQUAL(answers_as_json(answers{}), "{}");
}
