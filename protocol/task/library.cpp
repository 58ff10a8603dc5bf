#include "protocol/task/library.hpp"

#include "protocol/task/builtin_tasks.hpp"
#include "protocol/webhook/webhook_tasks.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <memory>

#include <cxxabi.h>
#include <dlfcn.h>
#include <unistd.h>

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

/// What the exception in flight says.
std::string exception_at_load() {
  try {
    throw;
  } catch (const std::exception& e) {
    return fmt::format("exception at load: {}", e.what());
  } catch (...) {
    return "exception at load";
  }
}

/// While it lives, std::terminate reports that this library cannot be loaded.
class load_guard {
public:
  load_guard(const std::string& path,
             const std::function<void(const error&)>& last_words)
      : path_(path), last_words_(last_words), outer_(current_) {
    current_ = this;
    handler_ = std::set_terminate(&load_guard::on_terminate);
  }

  ~load_guard() {
    std::set_terminate(handler_);
    current_ = outer_;
  }

  load_guard(const load_guard&) = delete;
  load_guard& operator=(const load_guard&) = delete;

private:
  [[noreturn]] static void on_terminate() {
    auto* self = current_;
    if (!self) // another thread's end
      std::abort();
    auto why = std::current_exception() ? exception_at_load() : "terminated";
    auto reason = wrong(self->path_, why);
    if (self->last_words_)
      self->last_words_(reason);
    else
      std::fprintf(stderr, "%s\n", reason.what.c_str());
    _exit(EXIT_FAILURE);
  }

  static thread_local load_guard* current_;

  const std::string& path_;
  const std::function<void(const error&)>& last_words_;
  load_guard* outer_;
  std::terminate_handler handler_;
};

thread_local load_guard* load_guard::current_ = nullptr;

} // namespace

expected<void>
load_library(registry& to, const std::string& path,
             const std::function<void(const error&)>& last_words) {
  if (!is_file(path))
    return error{
        errc::not_found,
        fmt::format("cannot load the task library {}: no such file", path)};
  // A path without a slash would be looked for in the system's folders.
  auto absolute = fs::absolute(path).string();
  // Never closed: its functions, its types and its exceptions live on.
  auto library = [&] {
    load_guard guard{path, last_words};
    return dlopen(absolute.c_str(), RTLD_NOW | RTLD_LOCAL);
  }();
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
  } catch (...) {
    return wrong(path, exception_at_load());
  }
  if (to.size() == before)
    return wrong(path, "its UMBEL_TASKS registers no task");
  return {};
}

expected<void> load_tasks(registry& to, const std::vector<std::string>& paths,
                          const runner_settings& settings,
                          const std::function<void(const error&)>& last_words) {
  add_builtin_tasks(to);
  for (auto& path : paths)
    if (auto loaded = load_library(to, path, last_words); !loaded)
      return loaded;
  return webhook::add_tasks(to, *settings.webhooks);
}

expected<std::shared_ptr<const registry>>
load_tasks(const std::vector<std::string>& paths,
           const runner_settings& settings,
           const std::function<void(const std::string&)>& complain) {
  std::shared_ptr<registry> tasks{new registry, [complain](registry* x) {
    tell_process(x->signals().worker_process_shutdown, "worker_process_shutdown",
                 complain);
    tell_process(x->signals().worker_shutdown, "worker_shutdown", complain);
    delete x;
  }};
  if (auto loaded = load_tasks(*tasks, paths, settings); !loaded)
    return loaded.error();
  auto& signals = tasks->signals();
  tell_process(signals.worker_init, "worker_init", complain);
  tell_process(signals.worker_process_init, "worker_process_init", complain);
  return std::shared_ptr<const registry>{std::move(tasks)};
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
