#define CAF_SUITE shutdown_ladder

#include "tests/unit/dsl.hpp"

#include "actors/shutdown_ladder.hpp"

#include <csignal>
#include <vector>

using namespace umbel;

namespace {

using step = shutdown_ladder::step;

/// The step after each signal, as a digit; '-' where nothing changes.
std::string climb(std::vector<int> signals, shutdown_ladder::rules rules = {}) {
  shutdown_ladder ladder{rules};
  std::string result;
  for (auto signal : signals) {
    auto reached = ladder.climb(signal);
    result += reached ? static_cast<char>('0' + static_cast<int>(*reached))
                      : '-';
  }
  result += ladder.restarts() ? " restarts" : "";
  return result + " status " + std::to_string(ladder.exit_status());
}

constexpr shutdown_ladder::rules remapped{true, true};
constexpr shutdown_ladder::rules on_terminal{false, false};

} // namespace

CAF_TEST(SIGTERM is warm and its repetition is ignored) {
  CAF_CHECK_EQUAL(climb({SIGTERM, SIGTERM, SIGTERM}), "1-- status 0");
}

CAF_TEST(each SIGINT climbs one step) {
  CAF_CHECK_EQUAL(climb({SIGINT, SIGINT, SIGINT, SIGINT, SIGINT}),
                  "1234- status 1");
}

CAF_TEST(SIGQUIT begins at the cold step) {
  CAF_CHECK_EQUAL(climb({SIGQUIT, SIGQUIT, SIGQUIT}), "234 status 1");
  CAF_CHECK_EQUAL(climb({SIGTERM, SIGQUIT}), "12 status 1");
  CAF_CHECK_EQUAL(climb({SIGINT, SIGQUIT, SIGINT, SIGTERM}), "123- status 1");
}

CAF_TEST(SIGHUP restarts unless somebody wants an end) {
  CAF_CHECK_EQUAL(climb({SIGHUP, SIGHUP}), "1- restarts status 0");
  CAF_CHECK_EQUAL(climb({SIGHUP, SIGTERM, SIGTERM}), "11- status 0");
  CAF_CHECK_EQUAL(climb({SIGHUP, SIGINT}), "12 status 1");
  CAF_CHECK_EQUAL(climb({SIGHUP, SIGQUIT}), "12 status 1");
  CAF_CHECK_EQUAL(climb({SIGTERM, SIGHUP}), "1- status 0");
}

CAF_TEST(on a terminal SIGHUP is SIGTERM) {
  CAF_CHECK_EQUAL(climb({SIGHUP, SIGHUP}, on_terminal), "1- status 0");
}

CAF_TEST(SIGTERM can be remapped) {
  CAF_CHECK_EQUAL(climb({SIGTERM, SIGTERM}, remapped), "2- status 1");
  CAF_CHECK_EQUAL(climb({SIGINT, SIGTERM, SIGINT}, remapped), "123 status 1");
  CAF_CHECK_EQUAL(climb({SIGHUP}, remapped), "1 restarts status 0");
}
