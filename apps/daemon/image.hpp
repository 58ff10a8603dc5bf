// A program that goes on as another one, in the same process: to detach with
// --executable, and to restart. What the successor must know travels in one
// variable of the environment.
#pragma once

#include "protocol/error.hpp"

#include <string>
#include <vector>

namespace umbel {

/// How this process came to be.
struct image {
  enum class begin {
    fresh,     ///< somebody started it
    detached,  ///< by its launcher, with --detach --executable
    restarted, ///< it was a worker before, under the same process id
  };

  begin how = begin::fresh;

  /// With `detached`: where to report that it is ready.
  int report = -1;

  bool is_fresh() const noexcept {
    return how == begin::fresh;
  }
};

/// Reads what the predecessor left for this process and forgets it. A variable
/// that was inherited by another process means nothing.
image take_image();

/// What to execute to run this program again: argv[0] with its directory, so
/// that a new version in its place is found, or what PATH has of that name.
/// Call it before the directory is changed.
std::string own_program(const std::string& argv0);

/// Runs `program` in this process.
/// @param args with the program's name
/// @returns only if that fails
error execute(const std::string& program, const std::vector<std::string>& args,
              const image& next);

} // namespace umbel
