// Stamps on workflows, and in the messages that become of them.
#define CAF_SUITE stamping

#include "tests/unit/dsl.hpp"

#include "protocol/canvas/applier.hpp"
#include "protocol/canvas/stamping.hpp"
#include "protocol/message/task_message.hpp"

using namespace umbel;
using namespace umbel::canvas;

namespace {

canvas::signature task(const char* name) {
  return {.task = name};
}

/// Name and stamps of each message.
std::string sent(canvas::signature x) {
  application made;
  origin from;
  applier{made, from}.apply(std::move(x), {1});
  std::string to;
  for (auto& message : made.publish) {
    auto parsed = parse_task_message(message.payload).value();
    to += parsed.header.task + ' ' + to_json(parsed.headers.at("stamped_headers"))
          + ' ' + to_json(parsed.headers.at("stamps")) + '\n';
  }
  return to;
}

const std::string stamped = R"( ["tenant"] {"tenant": "acme"})";

} // namespace

CAF_TEST(all of a workflow is stamped) {
  auto x = task("a") | make_group({task("b"), task("c") | task("d")}) | task("e");
  x.options["link_error"] = json::array{to_json_value(task("oops"))};
  stamp(x, {{"tenant", "acme"}});
  CAF_CHECK_EQUAL(sent(x), "a" + stamped + "\n");
  size_t named = 0;
  auto text = to_json(to_json_value(x));
  const std::string each = R"("stamped_headers": ["tenant"])";
  for (auto at = text.find(each); at != text.npos; at = text.find(each, at + 1))
    ++named;
  CAF_CHECK_EQUAL(named, 6u); // a to e, and oops
}

CAF_TEST(a chord and its parts) {
  auto x = make_chord(make_group({task("a"), task("b")}), task("body"));
  stamp(x, {{"tenant", "acme"}});
  CAF_CHECK_EQUAL(sent(x), "a" + stamped + "\nb" + stamped + "\n");
  CAF_CHECK_EQUAL(to_json(stamps_of(x.body())), R"({"tenant": "acme"})");
}

CAF_TEST(chunks become stamped starmaps) {
  auto x = make_chunks(task("a"), {1, 2, 3}, 2);
  stamp(x, {{"tenant", "acme"}});
  CAF_CHECK_EQUAL(sent(x), "celery.starmap" + stamped + "\ncelery.starmap"
                             + stamped + "\n");
}

CAF_TEST(the last stamp holds unless they are collected) {
  auto x = task("a");
  stamp(x, {{"n", 1}});
  stamp(x, {{"n", 2}, {"m", 3}});
  CAF_CHECK_EQUAL(to_json(stamps_of(x)), R"({"n": 2, "m": 3})");
  stamp(x, {{"n", json::array{4, 5}}}, true);
  CAF_CHECK_EQUAL(to_json(stamps_of(x)), R"({"n": [2, 4, 5], "m": 3})");
}

CAF_TEST(a visitor sees each task) {
  auto x = make_group({task("a"), task("b")});
  stamp(x, [](const canvas::signature& one) -> json::object {
    if (one.task == "b")
      return {{"is", one.task}};
    return {};
  });
  CAF_CHECK_EQUAL(sent(x), "a null {}\nb [\"is\"] {\"is\": \"b\"}\n");
}
