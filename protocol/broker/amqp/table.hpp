// AMQP's typed tables as JSON and back: the headers of a message.
//
// Types follow Python's py-amqp, in both directions, so that a header that
// passes through Umbel looks to a Python peer as if it came from another one:
//
//   JSON                                 AMQP
//   null, true, "text"                   V, t, S
//   8 (within 32 bits), larger integers  I, L (py-amqp reads l as unsigned)
//   0.5                                  d
//   [..], {..}                           A, F
//   {"__type__": "decimal"}              D
//   {"__type__": "datetime"}             T
//   {"__type__": "base64"}               x, bytes that are no text
#pragma once

#include "protocol/message/json.hpp"

#include <amqp.h>

#include <string>
#include <string_view>

namespace umbel::amqp {

inline std::string_view view(const amqp_bytes_t& x) noexcept {
  return {static_cast<const char*>(x.bytes), x.len};
}

/// The library takes a mutable pointer for what it only reads.
inline amqp_bytes_t bytes(std::string_view x) noexcept {
  return {x.size(), const_cast<char*>(x.data())};
}

/// Memory for tables that are made, freed at once.
class pool {
public:
  pool() {
    init_amqp_pool(&pool_, 4'096);
  }

  pool(const pool&) = delete;
  pool& operator=(const pool&) = delete;

  ~pool() {
    empty_amqp_pool(&pool_);
  }

  /// Frees what was made, and keeps the memory for more.
  void clear() noexcept {
    recycle_amqp_pool(&pool_);
  }

  template <class T>
  T* array(size_t count) {
    return static_cast<T*>(amqp_pool_alloc(&pool_, count * sizeof(T)));
  }

  std::string_view copy(std::string_view text);

private:
  amqp_pool_t pool_;
};

/// Appends the table as a JSON object, without the closing brace, so that the
/// caller may add members. @returns whether it has any members yet.
bool open_object(std::string& out, const amqp_table_t& x);

/// Makes a table in `memory`. Its texts point into `x`.
amqp_table_t to_table(const json::object& x, pool& memory);

} // namespace umbel::amqp
