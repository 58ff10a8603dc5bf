#include "protocol/task/describe_exception.hpp"

#include "protocol/task/exceptions.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <memory>
#include <new>
#include <stdexcept>
#include <system_error>

#include <cxxabi.h>

namespace umbel {

namespace {

/// Causes below this depth are left out: a chain may be a loop of rethrows.
constexpr int causes_max = 16;

std::string demangle(const std::type_info& type) {
  int status = 0;
  std::unique_ptr<char, void (*)(void*)> text{
      abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), std::free};
  return status == 0 ? text.get() : type.name();
}

/// The name as its author wrote it.
std::string readable_name(const std::type_info& type) {
  auto text = demangle(type);
  // throw_with_nested throws a type of its own that derives from the author's.
  constexpr std::string_view nested = "std::_Nested_exception<";
  if (text.starts_with(nested) && text.ends_with('>'))
    text = text.substr(nested.size(), text.size() - nested.size() - 1);
  for (std::string_view noise :
       {"[abi:cxx11]", "(anonymous namespace)::", "__cxx11::"})
    for (size_t at; (at = text.find(noise)) != std::string::npos;)
      text.erase(at, noise.size());
  return text;
}

/// Celery's names for what the standard library throws.
const char* standard_name(const std::exception& x) {
  auto is = [&](auto* tag) {
    return dynamic_cast<const std::remove_pointer_t<decltype(tag)>*>(&x);
  };
  using namespace std;
  if (is((invalid_argument*)nullptr) || is((domain_error*)nullptr)
      || is((length_error*)nullptr))
    return "ValueError";
  if (is((out_of_range*)nullptr))
    return "IndexError";
  if (is((overflow_error*)nullptr))
    return "OverflowError";
  if (is((underflow_error*)nullptr) || is((range_error*)nullptr))
    return "ArithmeticError";
  if (is((bad_alloc*)nullptr))
    return "MemoryError";
  if (is((bad_cast*)nullptr) || is((bad_typeid*)nullptr))
    return "TypeError";
  return "RuntimeError";
}

bool is_of_the_system(const std::error_code& x) {
  return x.category() == std::generic_category()
         || x.category() == std::system_category();
}

exception_info describe_standard(const std::exception& x) {
  auto* system = dynamic_cast<const std::system_error*>(&x);
  if (system && is_of_the_system(system->code()))
    return {"OSError", {system->code().value(), x.what()}, "builtins", ""};
  std::string type = standard_name(x);
  if (type == "MemoryError")
    return {std::move(type), {}, "builtins", ""};
  return {std::move(type), {x.what()}, "builtins", ""};
}

exception_info describe_one(const std::exception& x) {
  if (auto* chosen = dynamic_cast<const exception*>(&x))
    return {chosen->type(), chosen->args(), chosen->module(), ""};
  auto [module, name] = split_type_name(typeid(x));
  auto is_ours = [](const std::string& m) {
    return m == "std" || m.starts_with("std.") || m == "umbel";
  };
  if (is_ours(module))
    return describe_standard(x);
  return {name, {x.what()}, module.empty() ? "umbel" : module, ""};
}

exception_info describe_other() {
  auto* type = abi::__cxa_current_exception_type();
  if (!type)
    return {"RuntimeError", {"unknown"}, "builtins", ""};
  auto [module, name] = split_type_name(*type);
  return {name, {"unknown"}, module.empty() ? "umbel" : module, ""};
}

/// The C++ side of the story, for the traceback.
std::string cpp_line(const std::exception& x) {
  if (auto* chosen = dynamic_cast<const exception*>(&x))
    return fmt::format("{}: {}", chosen->type(), x.what());
  return fmt::format("{}: {}", readable_name(typeid(x)), x.what());
}

std::string causes(const std::exception& x, int depth) {
  auto* nested = dynamic_cast<const std::nested_exception*>(&x);
  if (!nested || !nested->nested_ptr() || depth == causes_max)
    return "";
  try {
    nested->rethrow_nested();
  } catch (const std::exception& cause) {
    return "\n  caused by " + cpp_line(cause) + causes(cause, depth + 1);
  } catch (...) {
    auto* type = abi::__cxa_current_exception_type();
    return "\n  caused by " + (type ? demangle(*type) : "unknown");
  }
}

} // namespace

type_name_parts split_type_name(const std::type_info& type) {
  auto text = readable_name(type);
  // The last "::" outside of brackets ends the namespace.
  int depth = 0;
  size_t cut = 0;
  for (size_t i = 0; i + 1 < text.size(); ++i) {
    if (text[i] == '<' || text[i] == '(')
      ++depth;
    else if (text[i] == '>' || text[i] == ')')
      --depth;
    else if (depth == 0 && text[i] == ':' && text[i + 1] == ':')
      cut = i + 2;
  }
  type_name_parts to;
  to.name = text.substr(cut);
  for (size_t i = 0; i + 2 < cut; ++i) {
    if (text[i] == ':' && text[i + 1] == ':')
      to.module += '.', ++i;
    else
      to.module += text[i];
  }
  return to;
}

exception_info describe_exception(const std::exception_ptr& x,
                                  const std::string& where) {
  exception_info to;
  std::string story;
  try {
    std::rethrow_exception(x);
  } catch (const std::exception& e) {
    to = describe_one(e);
    story = cpp_line(e) + causes(e, 0);
  } catch (const char* text) {
    to = {"RuntimeError", {text}, "builtins", ""};
    story = text;
  } catch (const std::string& text) {
    to = {"RuntimeError", {text}, "builtins", ""};
    story = text;
  } catch (int number) {
    to = {"RuntimeError", {number}, "builtins", ""};
    story = std::to_string(number);
  } catch (...) {
    to = describe_other();
    story = to.type + ": unknown";
  }
  to.traceback = fmt::format("  In task {}\n{}", where, story);
  // Python's reader looks for its own name of the type.
  if (auto repr = to.type + ":"; story.find(repr) == std::string::npos)
    to.traceback += "\n" + to.repr();
  return to;
}

} // namespace umbel
