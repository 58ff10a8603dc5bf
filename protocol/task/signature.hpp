// A task's parameters as a caller sees them, and how a call is matched to them:
// Python's rules and Python's words.
#pragma once

#include "protocol/message/json.hpp"
#include "protocol/task/arg.hpp"

#include <span>
#include <string>
#include <vector>

namespace umbel {

/// One parameter that has a name.
struct parameter {
  std::string name;
  bool required = true;
  json::value fallback; ///< used when it is not required and not given
};

/// What the caller must know. Parameters are ordered as in the function.
struct signature {
  std::string function; ///< for messages: "add"
  std::vector<parameter> parameters;
  bool takes_varargs = false;
  bool takes_kwargs = false;
};

/// The values of one call; they point into the call and into the signature.
struct bound_call {
  std::span<const json::value*> values; ///< one for each parameter
  std::span<const json::value> varargs;
  json::object kwargs;
};

/// Matches a call.
/// @param values storage for as many pointers as there are parameters
/// @throws wrong_call for too many, missing, unknown and repeated arguments
bound_call match_call(const signature& to, const json::array& args,
                      const json::object& kwargs,
                      std::span<const json::value*> values);

/// @throws wrong_call "add() argument 'x[2]' must be int, not str"
[[noreturn]] void throw_wrong_argument(const signature& in,
                                       const std::string& name,
                                       const std::string& path,
                                       const std::string& what);

} // namespace umbel
