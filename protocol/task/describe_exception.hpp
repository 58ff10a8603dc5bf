// A C++ exception as Celery's clients see it. The table:
//
//   C++                                          client (module builtins)
//   umbel::exception(type, args, module)         that type, args and module
//   std::invalid_argument, std::domain_error,
//   std::length_error                            ValueError
//   std::out_of_range                            IndexError
//   std::overflow_error                          OverflowError
//   std::underflow_error, std::range_error       ArithmeticError
//   std::bad_alloc                               MemoryError
//   std::bad_cast, std::bad_typeid, and what
//   derives from them                            TypeError
//   std::system_error of an operating system's
//   category, std::filesystem::filesystem_error  OSError(errno, text)
//   everything else in namespace std             RuntimeError
//   a type of the author's, `shop::out_of_stock` out_of_stock, module "shop"
//   the same, outside of any namespace           its name, module "umbel"
//
// Arguments are [what()], except where the table says otherwise. What does not
// derive from std::exception has no message: strings and numbers are shown as
// RuntimeError, other types under their name with "unknown".
#pragma once

#include "protocol/backend/document.hpp"

#include <exception>
#include <string>
#include <typeinfo>

namespace umbel {

/// A C++ type name in Python's two parts.
struct type_name_parts {
  std::string module; ///< "shop.stock", empty for the global namespace
  std::string name;   ///< "out_of_stock"
};

type_name_parts split_type_name(const std::type_info& type);

/// Describes `x`, which is not null. The traceback names `where`
/// ("tasks.add[id]"), then the C++ exception, then what is nested in it
/// (std::throw_with_nested).
exception_info describe_exception(const std::exception_ptr& x,
                                  const std::string& where);

} // namespace umbel
