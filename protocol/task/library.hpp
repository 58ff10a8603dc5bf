// Task libraries: shared objects that export `umbel_register_tasks`.
#pragma once

#include "protocol/error.hpp"
#include "protocol/task/registry.hpp"
#include "protocol/task/settings.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace umbel {

/// Loads the library at `path` and adds its tasks. The library stays loaded
/// until the process ends.
/// @param last_words called before the process has to end, with status 1: no
///        exception gets out of a library's static initialisers. By default the
///        error is written to standard error.
/// @returns `not_found` or `invalid_setting` with one line that says what is
/// wrong: no such file, not a task library, undefined symbol, duplicate task,
/// no tasks, an exception with its message.
expected<void>
load_library(registry& to, const std::string& path,
             const std::function<void(const error&)>& last_words = {});

/// Adds all that a process runs tasks of: those that every app has, those of the
/// libraries, and the webhooks of the settings.
/// @returns as `load_library`; `invalid_setting` for a webhook that cannot be
expected<void>
load_tasks(registry& to, const std::vector<std::string>& paths,
           const runner_settings& settings,
           const std::function<void(const error&)>& last_words = {});

/// The same, for threads of this process. Tells the libraries that they are
/// loaded, and when the registry goes that there are no more tasks (task_signals).
/// @param complain gets a line for each function of theirs that has thrown then
expected<std::shared_ptr<const registry>>
load_tasks(const std::vector<std::string>& paths,
           const runner_settings& settings,
           const std::function<void(const std::string&)>& complain);

/// The path of the task library that an operator means by `app`: a path is
/// taken as it is, a name such as "tasks" is libtasks.so in one of `folders`.
/// @returns `not_found` with the places where it looked
expected<std::string>
find_task_library(const std::string& app,
                  const std::vector<std::string>& folders);

/// Where task libraries are looked for: beside the program, the current folder,
/// the folders of the environment variable UMBEL_PATH (separated by colons),
/// and the lib folders of the installation.
std::vector<std::string> task_library_folders();

/// The program for child processes: beside this program as in a build, or in
/// ../libexec/umbel as installed.
expected<std::string> find_child_program();

} // namespace umbel
