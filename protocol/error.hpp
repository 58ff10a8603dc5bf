// Errors are values: what was tried, on what, what came back, what to do.
#pragma once

#include <boost/system/result.hpp>

#include <cstdint>
#include <stdexcept>
#include <string>

namespace umbel {

/// What kind of thing went wrong. The kind decides what the caller does next;
/// the text is for a person.
enum class errc : uint8_t {
  malformed = 1, ///< bytes that do not follow the protocol; never worth a retry
  unavailable,   ///< server unreachable or connection lost; retry on a new one
  timeout,       ///< no answer in time; the operation may have happened
  refused,       ///< the server said no (wrong password, wrong type, no memory)
  unsupported,   ///< valid, but this build or peer cannot do it
  invalid_setting, ///< an operator's mistake: option, URL, file
  not_found,     ///< a name that is not there
  duplicate,     ///< it is there already, and nothing was done
};

/// The name of an errc, for logs: "unavailable".
const char* to_string(errc code) noexcept;

/// One error with its context.
struct error {
  errc code;
  std::string what; ///< one readable line: what was tried, on what, the answer
};

/// "unavailable: cannot connect to redis://...: Connection refused"
std::string to_string(const error& x);

/// Thrown by expected<T>::value() on an error; callers that check never see it.
class bad_expected : public std::runtime_error {
public:
  explicit bad_expected(const error& x) : std::runtime_error(x.what) {
  }
};

[[noreturn]] void throw_exception_from_error(const error& x,
                                             const boost::source_location&);

/// A value or an error: the return type of everything that can fail at a
/// boundary of protocol/.
template <class T>
using expected = boost::system::result<T, error>;

} // namespace umbel
