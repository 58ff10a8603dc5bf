# What an outside project needs to build a task library: headers, the shared
# library, and a package for find_package(umbel).
include(CMakePackageConfigHelpers)
include(${CMAKE_CURRENT_LIST_DIR}/UmbelTasks.cmake)

set(umbel_package ${CMAKE_INSTALL_LIBDIR}/cmake/umbel)

install(TARGETS umbel_protocol EXPORT umbel
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT sdk)
install(EXPORT umbel NAMESPACE umbel:: FILE umbelTargets.cmake
  DESTINATION ${umbel_package} COMPONENT sdk)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/protocol
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/umbel COMPONENT sdk
  FILES_MATCHING PATTERN *.hpp)
install(FILES ${PROJECT_BINARY_DIR}/include/umbel/task.hpp
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/umbel COMPONENT sdk)

configure_package_config_file(
  ${CMAKE_CURRENT_LIST_DIR}/umbelConfig.cmake.in
  ${PROJECT_BINARY_DIR}/umbelConfig.cmake
  INSTALL_DESTINATION ${umbel_package}
  PATH_VARS CMAKE_INSTALL_LIBEXECDIR)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/umbelConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES
  ${PROJECT_BINARY_DIR}/umbelConfig.cmake
  ${PROJECT_BINARY_DIR}/umbelConfigVersion.cmake
  ${CMAKE_CURRENT_LIST_DIR}/UmbelTasks.cmake
  DESTINATION ${umbel_package} COMPONENT sdk)
