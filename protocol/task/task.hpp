// What a task's author includes, as <umbel/task.hpp>. The README beside this
// file is the guide.
//
//   #include <umbel/task.hpp>
//
//   int add(int x, int y) {
//     return x + y;
//   }
//
//   UMBEL_TASKS(app) {
//     app.task("tasks.add", add, "x", "y");
//   }
#pragma once

#include "protocol/task/arg.hpp"
#include "protocol/task/awaitable.hpp"
#include "protocol/task/call.hpp"
#include "protocol/task/context.hpp"
#include "protocol/task/exceptions.hpp"
#include "protocol/task/http.hpp"
#include "protocol/task/log.hpp"
#include "protocol/task/periodic.hpp"
#include "protocol/task/registry.hpp"
#include "protocol/task/remote_command.hpp"
#include "protocol/task/sleep.hpp"
#include "protocol/task/types.hpp"

/// Begins the function that a task library is loaded for: it adds the library's
/// tasks to the umbel::registry `app`. Once in each library.
#define UMBEL_TASKS(app) \
  extern "C" __attribute__((visibility("default"))) void umbel_register_tasks( \
      ::umbel::registry& app)
