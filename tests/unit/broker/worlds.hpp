// The worlds in which every conformance scenario runs, and the macro that
// defines a scenario. A scenario named `x` becomes one test for each world:
// "memory x", "redis x", "polled redis x", "sqlite x", "sqla x", "filesystem x",
// "rabbitmq x".
//
// To add a broker: write its world, and add a line to `worlds()`.
#pragma once

#include "tests/unit/broker/awaited_rabbitmq_world.hpp"
#include "tests/unit/broker/filesystem_world.hpp"
#include "tests/unit/broker/memory_world.hpp"
#include "tests/unit/broker/redis_world.hpp"
#include "tests/unit/broker/sqla_world.hpp"
#include "tests/unit/broker/sqlite_world.hpp"
#include "tests/unit/broker/world.hpp"

#include <exception>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace umbel::test {

struct world_kind {
  const char* name;
  std::unique_ptr<world> (*make)();
  /// Scenarios that cannot take place there, and why.
  std::map<std::string, std::string> cannot = {};
};

inline const std::vector<world_kind>& worlds() {
  static const std::vector<world_kind> result{
      {"memory", [] { return std::unique_ptr<world>{new memory_world}; }},
      {"redis", [] { return std::unique_ptr<world>{new redis_world}; }},
      {"polled redis",
       [] { return std::unique_ptr<world>{new polled_redis_world}; }},
      {"sqlite", [] { return std::unique_ptr<world>{new sqlite_world}; }},
      {"sqla", [] { return std::unique_ptr<world>{new sqla_world}; }},
      {"filesystem",
       [] { return std::unique_ptr<world>{new filesystem_world}; }},
      {"rabbitmq",
       [] { return std::unique_ptr<world>{new awaited_rabbitmq_world}; },
       awaited_rabbitmq_world::cannot()},
  };
  return result;
}

using scenario_function = void (*)(world&);

/// The names of all scenarios.
inline std::set<std::string>& scenarios() {
  static std::set<std::string> result;
  return result;
}

/// One scenario in one world, as a test of CAF's.
class scenario : public caf::test::test {
public:
  scenario(const world_kind& kind, const char* name, scenario_function run)
      : test(kind.name + std::string{" "} + name, false), make_(kind.make),
        run_(run) {
    auto found = kind.cannot.find(name);
    if (found != kind.cannot.end())
      why_not_ = found->second;
  }

  void run_test_impl() override {
    if (!why_not_.empty()) {
      CAF_MESSAGE("cannot take place: " << why_not_);
      return;
    }
    try {
      auto w = make_();
      run_(*w);
    } catch (const std::exception& problem) { // an error nobody expected
      CAF_ERROR(problem.what());
    }
  }

private:
  std::unique_ptr<world> (*make_)();
  scenario_function run_;
  std::string why_not_; ///< empty: it can
};

struct add_scenario {
  add_scenario(const char* suite, const char* name, scenario_function run) {
    scenarios().insert(name);
    for (auto& kind : worlds())
      caf::test::engine::add(suite,
                             std::make_unique<scenario>(kind, name, run));
  }
};

} // namespace umbel::test

/// Defines a scenario; its body sees the world as `w`.
#define UMBEL_SCENARIO(name) \
  static void name(umbel::test::world& w); \
  static const umbel::test::add_scenario add_##name{CAF_XSTR(CAF_SUITE), \
                                                    #name, name}; \
  static void name([[maybe_unused]] umbel::test::world& w)
