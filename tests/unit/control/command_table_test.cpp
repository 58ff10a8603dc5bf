#define CAF_SUITE command_table

#include "protocol/control/command_table.hpp"

#include "tests/unit/dsl.hpp"

#include <vector>

using namespace umbel;

namespace {

using words = std::vector<std::string>;

const command_description& command(std::string_view name) {
  auto x = find_command(command_kind::control, name);
  if (x == nullptr)
    x = find_command(command_kind::inspect, name);
  if (x == nullptr)
    CAF_FAIL("there is no command " << name);
  return *x;
}

/// The arguments as JSON, or what is wrong with them.
std::string read(std::string_view name, const words& said) {
  auto x = read_arguments(command(name), said);
  return x ? to_json(*x) : x.error().what;
}

} // namespace

CAF_TEST(arguments get the names and types that workers expect) {
  CAF_CHECK_EQUAL(read("ping", {}), "{}");
  CAF_CHECK_EQUAL(read("rate_limit", {"tasks.add", "10/m"}),
                  R"({"task_name": "tasks.add", "rate_limit": "10/m"})");
  CAF_CHECK_EQUAL(read("time_limit", {"t", "1.5", "3"}),
                  R"({"task_name": "t", "soft": 1.5, "hard": 3.0})");
  CAF_CHECK_EQUAL(read("time_limit", {"t", "1"}),
                  R"({"task_name": "t", "soft": 1.0})");
  CAF_CHECK_EQUAL(read("pool_grow", {"-2"}), R"({"n": -2})");
  CAF_CHECK_EQUAL(read("pool_grow", {}), "{}");
  CAF_CHECK_EQUAL(read("conf", {"Yes"}), R"({"with_defaults": true})");
  CAF_CHECK_EQUAL(read("revoke", {"a", "b"}), R"({"task_id": ["a", "b"]})");
  CAF_CHECK_EQUAL(read("terminate", {"SIGKILL", "a"}),
                  R"({"signal": "SIGKILL", "task_id": ["a"]})");
  CAF_CHECK_EQUAL(read("registered", {}), "{}");
}

CAF_TEST(what is wrong is said with the usage) {
  CAF_CHECK_EQUAL(read("rate_limit", {"t"}),
                  "which RATE_LIMIT?; usage: rate_limit TASK_NAME RATE_LIMIT");
  CAF_CHECK_EQUAL(read("revoke", {}),
                  "which TASK_ID?; usage: revoke TASK_ID...");
  CAF_CHECK_EQUAL(read("pool_grow", {"two"}),
                  "N: 'two' is not a whole number; usage: pool_grow [N]");
  CAF_CHECK_EQUAL(read("time_limit", {"t", "nan"}),
                  "SOFT: 'nan' is not a number of seconds; usage: time_limit "
                  "TASK_NAME SOFT [HARD]");
  CAF_CHECK_EQUAL(read("ping", {"x"}),
                  "unexpected argument 'x'; usage: ping");
}

CAF_TEST(unknown names are explained) {
  using enum command_kind;
  CAF_CHECK_EQUAL(explain_unknown_command(inspect, "activ"),
                  "there is no command 'activ'; did you mean 'active'?");
  CAF_CHECK_EQUAL(explain_unknown_command(inspect, "revoke"),
                  "there is no command 'revoke' that only asks; 'control "
                  "revoke' is one");
  CAF_CHECK_EQUAL(explain_unknown_command(control, "ping"),
                  "there is no command 'ping' that changes something; 'inspect "
                  "ping' is one");
  CAF_CHECK(explain_unknown_command(control, "xyzzy").find("--custom")
            != std::string::npos);
}

CAF_TEST(each name is there once and has its help) {
  for (auto& x : commands()) {
    CAF_CHECK(find_command(x.kind, x.name) == &x);
    CAF_CHECK(!x.help.empty());
  }
}

CAF_TEST(arguments of commands that only workers know) {
  auto x = read_assignments(words{"level=3", "name=a b", "list=[1]", "text="});
  CAF_REQUIRE(x.has_value());
  CAF_CHECK_EQUAL(to_json(*x), R"({"level": 3, "name": "a b", "list": [1], )"
                               R"("text": ""})");
  CAF_CHECK(read_assignments(words{"level"}).has_error());
  CAF_CHECK(read_assignments(words{"=3"}).has_error());
}
