// What an endpoint is sent.
#pragma once

#include "protocol/task/context.hpp"
#include "protocol/webhook/endpoint.hpp"

#include <string>
#include <string_view>

namespace umbel::webhook {

/// Headers that every endpoint gets. They outrank those of the settings.
inline constexpr std::string_view id_header = "Celery-Task-Id";
inline constexpr std::string_view name_header = "Celery-Task-Name";
inline constexpr std::string_view retries_header = "Celery-Task-Retries";

/// The request of a declared endpoint: arguments as {"args": [...], "kwargs": {...}},
/// or, with a method that has no body, keyword arguments in the URL.
/// @throws wrong_call for positional arguments that have no place
http_request make_request(const endpoint& x, const context& self,
                          const json::array& args, const json::object& kwargs);

/// As Celery 3's HttpDispatch: the arguments in the URL, or as a form.
/// @throws umbel::exception for another method
http_request make_dispatch_request(const endpoint& x, const context& self,
                                   const std::string& url,
                                   const std::string& method,
                                   const json::object& kwargs);

/// "a=1&b=two+words": values as Python's str() has them, the members' order kept.
std::string to_form(const json::object& x);

/// The URL with these members behind those that its query has.
std::string add_query(const std::string& url, const json::object& x);

} // namespace umbel::webhook
