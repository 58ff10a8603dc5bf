#include "protocol/task/inline_errback.hpp"

#include "protocol/task/describe_exception.hpp"
#include "protocol/task/registry.hpp"

#include <fmt/format.h>

namespace umbel {

bool call_errback(context& failed, const canvas::signature& errback,
                  const json::array& failure) {
  json::array args;
  if (!errback.immutable)
    args = failure;
  args.insert(args.end(), errback.args.begin(), errback.args.end());
  context::scope active{failed};
  try {
    auto result = failed.tasks().find(errback.task)->run(failed, args,
                                                         errback.kwargs);
    return std::holds_alternative<json::value>(result);
  } catch (...) {
    constexpr uint8_t error_level = 4;
    auto thrown = describe_exception(std::current_exception(), {});
    failed.log(error_level,
               fmt::format("Task {}[{}]: its errback {} raised {}", failed.task(),
                           failed.id(), errback.task, thrown.repr()));
    return true;
  }
}

} // namespace umbel
