# umbel_codecs: what serializers and compressions are made of.
pkg_check_modules(CODECS REQUIRED IMPORTED_TARGET
  yaml-cpp zlib liblzma libzstd libbrotlidec libbrotlienc)
find_package(BZip2 REQUIRED)
find_package(nlohmann_json REQUIRED)
add_library(umbel_codecs INTERFACE)
target_link_libraries(umbel_codecs INTERFACE
  PkgConfig::CODECS BZip2::BZip2 nlohmann_json::nlohmann_json)
