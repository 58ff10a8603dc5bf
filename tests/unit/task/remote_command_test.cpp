#define CAF_SUITE remote_command

#include "protocol/task/registry.hpp"

#include "tests/unit/dsl.hpp"

#include <stdexcept>

using namespace umbel;

namespace {

const command_context self{"celery@a", 17};

std::string run(const remote_command& x, const char* arguments) {
  try {
    return to_json(x.run(self, parse_json(arguments).value().as_object()));
  } catch (const std::exception& e) {
    return e.what();
  }
}

} // namespace

CAF_TEST(arguments are bound by name) {
  registry tasks;
  auto& greet = tasks.control_command(
    "greet",
    [](const command_context& where, const std::string& name, int times) {
      return where.node + " greets " + name + " " + std::to_string(times);
    },
    "name", umbel::arg("times") = 1);
  CAF_CHECK_EQUAL(run(greet, R"({"name": "b"})"), R"("celery@a greets b 1")");
  CAF_CHECK_EQUAL(run(greet, R"({"name": "b", "times": 2})"),
                  R"("celery@a greets b 2")");
  CAF_CHECK_EQUAL(run(greet, "{}"),
                  "greet() missing 1 required positional argument: 'name'");
  CAF_CHECK(run(greet, R"({"name": 1})").find("must be") != std::string::npos);
  CAF_CHECK(run(greet, R"({"name": "b", "x": 1})").find("unexpected")
            != std::string::npos);
  auto& nothing = tasks.inspect_command("nothing", [] {});
  CAF_CHECK_EQUAL(run(nothing, "{}"), "null");
}

CAF_TEST(a command describes itself) {
  registry tasks;
  tasks.inspect_command("a", [](int) {}, "n").help("what").alias("b");
  auto& x = tasks.commands().front();
  CAF_CHECK(x.is_called("a") && x.is_called("b") && !x.is_called(""));
  CAF_CHECK_EQUAL(to_json(x.description()),
                  R"({"name": "a", "type": "inspect", "alias": "b", )"
                  R"("help": "what", "signature": "n", "parameters": ["n"]})");
}

CAF_TEST(names are used once) {
  registry tasks;
  tasks.inspect_command("a", [] {}).alias("b");
  for (auto name : {"a", "b", ""}) {
    auto refused = false;
    try {
      tasks.control_command(name, [] {});
    } catch (const std::logic_error&) {
      refused = true;
    }
    CAF_CHECK(refused);
  }
}
