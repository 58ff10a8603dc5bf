#define CAF_SUITE arguments

#include "tests/unit/dsl.hpp"

#include "apps/multi/arguments.hpp"

#include <csignal>

using namespace umbel;
using namespace umbel::multi;

namespace {

std::string shown(const option_list& xs) {
  std::string result;
  for (auto& [name, value] : xs)
    result += (result.empty() ? "" : " ") + name + '=' + value;
  return result;
}

arguments parsed(const std::vector<std::string>& args) {
  auto result = parse(args);
  if (!result)
    CAF_FAIL(result.error().what);
  return *result;
}

} // namespace

CAF_TEST(names and options) {
  auto x = parsed({"w1", "-c", "3", "w2", "--pidfile=%n.pid", "-E"});
  CAF_CHECK_EQUAL(x.names, (std::vector<std::string>{"w1", "w2"}));
  CAF_CHECK_EQUAL(shown(x.options), "-c=3 --pidfile=%n.pid -E=");
}

CAF_TEST(a short option takes the next word unless that is an option) {
  auto x = parsed({"w1", "-E", "-c", "3", "-B", "w2"});
  CAF_CHECK_EQUAL(x.names, (std::vector<std::string>{"w1"}));
  CAF_CHECK_EQUAL(shown(x.options), "-E= -c=3 -B=w2");
}

CAF_TEST(the last value counts and the first place) {
  CAF_CHECK_EQUAL(shown(parsed({"-c", "1", "-E", "-c", "2"}).options),
                  "-c=2 -E=");
}

CAF_TEST(options for some nodes) {
  auto x = parsed({"2", "-c:1", "10", "--queues:w1,w2=a,b", "-Q:1", "c"});
  CAF_CHECK_EQUAL(shown(x.options), "");
  CAF_CHECK_EQUAL(shown(x.for_nodes["1"]), "-c=10 -Q=c");
  CAF_CHECK_EQUAL(shown(x.for_nodes["w1,w2"]), "--queues=a,b");
  CAF_CHECK_EQUAL(x.node_sets, (std::vector<std::string>{"1", "w1,w2"}));
}

CAF_TEST(colons of values mean nothing) {
  auto x = parsed({"w1", "-b", "redis://h:1/0", "--broker=redis://h:1/0"});
  CAF_CHECK_EQUAL(shown(x.options), "-b=redis://h:1/0 --broker=redis://h:1/0");
}

CAF_TEST(what follows two dashes is passed on) {
  auto x = parsed({"w1", "--", "-c", "x=1"});
  CAF_CHECK_EQUAL(x.passed_on, (std::vector<std::string>{"--", "-c", "x=1"}));
}

CAF_TEST(what cannot be read) {
  for (auto arg : {"-", "-c:", "-c:1:2", "--queues:=a"})
    CAF_CHECK(!parse({"w1", arg}));
}

CAF_TEST(signals) {
  CAF_CHECK(signal_number("-9") == SIGKILL);
  CAF_CHECK(signal_number("-KILL") == SIGKILL);
  CAF_CHECK(signal_number("-SIGINT") == SIGINT);
  for (auto text : {"KILL", "-kill", "-c", "-A", "--KILL", "-", "", "-SIG"})
    CAF_CHECK(!signal_number(text));
  CAF_CHECK(signal_in({"w1", "-c", "3", "-QUIT"}, 1) == SIGQUIT);
  CAF_CHECK(signal_in({"w1", "-INT", "-QUIT", "-c", "3"}, 1) == SIGQUIT);
  CAF_CHECK(!signal_in({"w1", "-c", "3"}, 1));
  CAF_CHECK_EQUAL(signal_name(SIGTERM), "TERM");
}
