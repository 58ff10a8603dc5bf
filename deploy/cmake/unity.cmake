# Which sources of a target are compiled together (CMAKE_UNITY_BUILD): those of one
# folder, at most eight at a time. So a new file changes what its own folder compiles,
# and functions in anonymous namespaces only have to differ in name within a folder
# (tests/style/unity_names.py sees to that).
function(umbel_unity_by_folder target)
  get_target_property(sources ${target} SOURCES)
  get_target_property(here ${target} SOURCE_DIR)
  foreach(source ${sources})
    cmake_path(ABSOLUTE_PATH source BASE_DIRECTORY ${here} NORMALIZE)
    cmake_path(GET source PARENT_PATH folder)
    string(MAKE_C_IDENTIFIER "${folder}" id)
    math(EXPR count_${id} "${count_${id}} + 1")
    math(EXPR part "(${count_${id}} - 1) / 8")
    cmake_path(RELATIVE_PATH folder BASE_DIRECTORY ${PROJECT_SOURCE_DIR})
    string(MAKE_C_IDENTIFIER "${folder}_${part}" group)
    set_source_files_properties(${source} TARGET_DIRECTORY ${target}
      PROPERTIES UNITY_GROUP ${group})
  endforeach()
  set_target_properties(${target} PROPERTIES UNITY_BUILD_MODE GROUP)
endfunction()
