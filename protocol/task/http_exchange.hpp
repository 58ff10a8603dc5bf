// One HTTP request and its response, on Boost.Beast.
#pragma once

#include "protocol/task/http.hpp"
#include "protocol/task/runtime.hpp"

#include <functional>
#include <memory>

namespace boost::asio {
class io_context;
}

namespace umbel {

/// Begins an exchange: looks up the name, connects, sends, receives. `f` is
/// called once, by the context and not before this function has returned.
std::unique_ptr<runtime::operation>
begin_http_exchange(boost::asio::io_context& context, http_request request,
                    std::function<void(expected<http_response>)> f);

} // namespace umbel
