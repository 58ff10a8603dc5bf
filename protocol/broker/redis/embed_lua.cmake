# Turns Lua files into one C++ source of scripts and their SHA1, which is what
# EVALSHA calls them by. Run by the build:
#   cmake -DOUTPUT=x.cpp -DNAMESPACE=umbel::redis::scripts
#         -DSCRIPTS=name=a.lua+b.lua,other=c.lua -P embed_lua.cmake
# A script's text is its files one after another, relative to the working
# directory: parts that several scripts share come first.
set(code "// Made by the build from *.lua.
#include \"protocol/broker/redis/connection.hpp\"

namespace ${NAMESPACE} {
")
string(REPLACE "," ";" scripts "${SCRIPTS}")
foreach(item IN LISTS scripts)
  string(REGEX MATCH "^([^=]+)=(.+)$" matched "${item}")
  set(name ${CMAKE_MATCH_1})
  string(REPLACE "+" ";" files "${CMAKE_MATCH_2}")
  set(text "")
  foreach(file IN LISTS files)
    file(READ "${file}" part)
    string(APPEND text "${part}")
  endforeach()
  string(SHA1 sha "${text}")
  string(APPEND code "
extern const script ${name};
const script ${name}{\"${name}.lua\", R\"lua(${text})lua\",
  \"${sha}\"};
")
endforeach()
string(APPEND code "
} // namespace ${NAMESPACE}
")
file(WRITE "${OUTPUT}" "${code}")
