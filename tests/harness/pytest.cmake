# umbel_pytest(<prefix of names> <label> <timeout in seconds> [BROKER <name>]
# [CONFIGURATION <name>] <file>...): one CTest entry for each file of pytest, called
# <prefix>.<file>, and <prefix>.<file>.<name>, with another label <name>, if it runs on
# another broker than Redis. With a configuration it runs only in `ctest -C <name>`.
# Debian's interpreter, because that is the one that python3-celery belongs to.
# pytest's exit status is 5, hence a failure, when a file holds no test.
function(umbel_pytest prefix label timeout)
  # Sanitizers make everything slower: deadlines are multiplied by this.
  set(patience 1)
  if(UMBEL_SANITIZE)
    set(patience 4)
  endif()
  math(EXPR timeout "${timeout} * ${patience}")
  cmake_parse_arguments(arg "" "BROKER;CONFIGURATION" "" ${ARGN})
  set(suffix "")
  set(options "")
  set(labels ${label})
  set(configurations "")
  if(arg_CONFIGURATION)
    set(configurations CONFIGURATIONS ${arg_CONFIGURATION})
  endif()
  if(arg_BROKER)
    list(APPEND labels ${arg_BROKER})
    set(suffix .${arg_BROKER})
    set(options --broker ${arg_BROKER})
  endif()
  foreach(file IN LISTS arg_UNPARSED_ARGUMENTS)
    get_filename_component(name ${file} NAME_WE)
    string(REGEX REPLACE "^test_" "" name ${name})
    string(APPEND name ${suffix})
    add_test(NAME ${prefix}.${name} ${configurations}
      COMMAND /usr/bin/python3 -B -m pytest -q
              -c ${PROJECT_SOURCE_DIR}/tests/pytest.ini ${options} ${file})
    set_tests_properties(${prefix}.${name} PROPERTIES
      LABELS "${labels}" TIMEOUT ${timeout} ENVIRONMENT
      "UMBEL_BUILD_DIR=${PROJECT_BINARY_DIR};UMBEL_TEST_PATIENCE=${patience}")
  endforeach()
endfunction()
