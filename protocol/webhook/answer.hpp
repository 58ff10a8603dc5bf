// What an endpoint's answer means, by the rules of Celery 3's celery.task.http: a JSON
// object, {"status": "success", "retval": ...} or {"status": "failure", "reason": ...}.
#pragma once

#include "protocol/message/time.hpp"
#include "protocol/task/http.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace umbel::webhook {

/// The return value. 204 without a body is None.
/// @param what the request, for errors: "POST https://host/path"
/// @throws umbel::exception of module celery.task.http: RemoteExecuteError with the
///         reason; InvalidResponseError for what is no such object; UnknownStatusError
///         for another status in it; HTTPError for a status of HTTP outside of 2xx
///         whose body says no more
json::value read_answer(const std::string& what, const http_response& x);

/// Whether another try may do better: 429, 502, 503, 504.
bool is_retriable(int status);

/// The exception for such a status. Its reason is the body's, if that has one.
exception status_error(const std::string& what, const http_response& x);

/// The wait that a header Retry-After asks for: seconds or a date. At most a day.
std::optional<std::chrono::seconds> retry_after(std::string_view header,
                                                timestamp now);

} // namespace umbel::webhook
