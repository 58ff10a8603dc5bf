// JSON as Celery's peers write it: kombu's serializer "json".
#pragma once

#include "protocol/error.hpp"

#include <boost/json.hpp>

#include <string>
#include <string_view>

namespace umbel {

namespace json = boost::json;

/// Deepest nesting that is accepted.
constexpr size_t json_depth_max = 512;

/// Parses what Python's `json.dumps` writes, NaN, Infinity and -Infinity
/// included. Tagged objects (`__type__`, `__value__`) stay objects, see
/// `check_tags`. Integers that fit neither int64 nor uint64 become doubles and
/// lose their last digits. @returns `malformed` with position and reason, also
/// for broken UTF-8 and lone surrogates, which no `json::string` may hold.
expected<json::value> parse_json(std::string_view text,
                                 json::storage_ptr storage = {});

/// Writes what Python's `json.loads` reads: ASCII only, NaN and Infinity as
/// Python spells them, ", " and ": " as separators.
/// Broken UTF-8 is written as U+FFFD.
std::string to_json(const json::value& x);

/// The same, appended to `out`.
void append_json(std::string& out, const json::value& x);
void append_json(std::string& out, const json::array& x);
void append_json(std::string& out, const json::object& x);
void append_json(std::string& out, std::string_view x);

/// kombu >= 5.3 tags values that JSON lacks: `{"__type__": T, "__value__": V}`
/// with exactly these two keys. @returns `malformed` if `x` holds a tag that
/// nobody knows (datetime, date, time, decimal, uuid, bytes, base64 are known).
expected<void> check_tags(const json::value& x);

/// Python's `repr` of a JSON value, cut to about `max` characters with "..." as
/// Celery's saferepr does (open brackets are still closed): argsrepr,
/// kwargsrepr, results in logs.
std::string python_repr(const json::value& x, size_t max = 1024);

/// The same for call arguments: a tuple, `(2, 3)`, `(2,)`.
std::string python_repr_tuple(const json::array& x, size_t max = 1024);

} // namespace umbel
