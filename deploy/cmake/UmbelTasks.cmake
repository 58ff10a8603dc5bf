# umbel_add_task_library(NAME source...)
#
# A task library: lib<NAME>.so, which `umbel worker -A <NAME>` loads. Its sources
# include <umbel/task.hpp>, and one of them has UMBEL_TASKS.
function(umbel_add_task_library name)
  add_library(${name} MODULE ${ARGN})
  target_link_libraries(${name} PRIVATE umbel::protocol)
  # A coroutine's wait without its co_await would do nothing.
  target_compile_options(${name} PRIVATE -Werror=unused-result)
  # The worker looks for this name on every system.
  set_target_properties(${name} PROPERTIES PREFIX "lib" SUFFIX ".so")
endfunction()
