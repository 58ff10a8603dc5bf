#include "protocol/task/library.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <memory>

#include <cxxabi.h>
#include <dlfcn.h>

#ifndef UMBEL_LIBDIR
#  define UMBEL_LIBDIR "lib"
#endif

namespace umbel {

namespace {

namespace fs = std::filesystem;

fs::path program_folder() {
  std::error_code code;
  return fs::read_symlink("/proc/self/exe", code).parent_path();
}

bool is_file(const fs::path& path) {
  std::error_code code;
  return fs::is_regular_file(path, code);
}

/// The linker's message, with C++ names as their author wrote them.
std::string readable(std::string text) {
  auto at = text.find("_Z");
  if (at == std::string::npos)
    return text;
  auto end = text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                    "abcdefghijklmnopqrstuvwxyz0123456789_",
                                    at);
  auto symbol = text.substr(at, end - at);
  int status = 0;
  std::unique_ptr<char, void (*)(void*)> name{
      abi::__cxa_demangle(symbol.c_str(), nullptr, nullptr, &status),
      std::free};
  if (status == 0)
    text.replace(at, symbol.size(), name.get());
  return text;
}

error wrong(const std::string& path, std::string_view why) {
  return {errc::invalid_setting,
          fmt::format("cannot load the task library {}: {}", path, why)};
}

} // namespace

expected<void> load_library(registry& to, const std::string& path) {
  if (!is_file(path))
    return error{
        errc::not_found,
        fmt::format("cannot load the task library {}: no such file", path)};
  // A path without a slash would be looked for in the system's folders.
  auto absolute = fs::absolute(path).string();
  void* library = nullptr;
  try {
    // Never closed: its functions, its types and its exceptions live on.
    library = dlopen(absolute.c_str(), RTLD_NOW | RTLD_LOCAL);
  } catch (const std::exception& e) {
    return wrong(path, fmt::format("exception at load: {}", e.what()));
  } catch (...) {
    return wrong(path, "exception at load");
  }
  if (!library) {
    std::string why = dlerror();
    if (why.starts_with(absolute + ": "))
      why.erase(0, absolute.size() + 2);
    return wrong(path, readable(std::move(why)));
  }
  using function = void (*)(registry&);
  auto fill =
      reinterpret_cast<function>(dlsym(library, "umbel_register_tasks"));
  if (!fill)
    return wrong(path, "not a task library: there is no UMBEL_TASKS in it");
  auto before = to.size();
  try {
    fill(to);
  } catch (const std::exception& e) {
    return wrong(path, fmt::format("exception at load: {}", e.what()));
  } catch (...) {
    return wrong(path, "exception at load");
  }
  if (to.size() == before)
    return wrong(path, "its UMBEL_TASKS registers no task");
  return {};
}

expected<std::string>
find_task_library(const std::string& app,
                  const std::vector<std::string>& folders) {
  if (app.find('/') != std::string::npos || app.ends_with(".so")) {
    if (is_file(app))
      return app;
    return error{errc::not_found, fmt::format("there is no file {}", app)};
  }
  for (auto& folder : folders)
    if (auto path = fs::path{folder} / ("lib" + app + ".so"); is_file(path))
      return path.string();
  return error{errc::not_found,
               fmt::format("there is no lib{}.so for the app '{}' in {}", app,
                           app, fmt::join(folders, ", "))};
}

std::vector<std::string> task_library_folders() {
  auto program = program_folder();
  std::vector<std::string> to{program.string(), "."};
  if (auto* path = std::getenv("UMBEL_PATH")) {
    std::string_view rest{path};
    while (!rest.empty()) {
      auto end = std::min(rest.find(':'), rest.size());
      if (end > 0)
        to.emplace_back(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  for (auto folder : {"../" UMBEL_LIBDIR, "../lib"})
    if (auto x = (program / folder).lexically_normal().string(); x != to.back())
      to.emplace_back(x);
  return to;
}

expected<std::string> find_child_program() {
  auto program = program_folder();
  auto installed = (program / "../libexec/umbel/child").lexically_normal();
  for (auto& path : {program / "child", installed})
    if (is_file(path))
      return path.string();
  return error{errc::not_found,
               fmt::format("there is no child program {}/child "
                           "and no {}",
                           program.string(), installed.string())};
}

} // namespace umbel
