// The tasks that every Celery app has, because clients and other workers count
// on them: what maps and chunks are carried out by, and some more.
//
//   celery.map, celery.starmap   call a task of this process for each item
//   celery.chunks                starts a group of starmaps
//   celery.group, celery.chord   start what they are given, as old clients ask for
//   celery.accumulate            its arguments as a list, or one of them
//   celery.chord_unlock          waits until all of a chord's header has ended,
//                                where results are not counted, and then starts
//                                its body
//   celery.backend_cleanup       nothing: result stores forget by themselves
//   celery.ping                  "pong"
#pragma once

#include "protocol/task/registry.hpp"

namespace umbel {

/// Adds them. @pre `to` outlives all runs, and stays where it is
void add_builtin_tasks(registry& to);

/// Whether this is one of their names, which operators are not shown.
bool is_builtin_task(std::string_view name);

} // namespace umbel
