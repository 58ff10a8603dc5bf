// A batch of settlements on its way to a server: one round trip, or two where
// messages go back on their queues, or through exchanges.
#pragma once

#include "protocol/broker/broker.hpp"
#include "protocol/broker/redis/exchange.hpp"
#include "protocol/broker/redis/keys.hpp"
#include "protocol/broker/redis/place.hpp"

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace umbel::redis {

/// Settlements as the arguments of settle.lua.
class settlement_words {
public:
  settlement_words(const broker_options& options, const places& where);

  /// What has to be known before.
  struct knowledge {
    std::vector<std::string> texts; ///< what is put back for each settlement
    /// Of each exchange that is used, the members of its set of bindings.
    std::map<std::string, std::vector<std::string>> bindings;
  };

  /// Asks for it: for the messages that go back on their queues, and for what is
  /// bound to exchanges. Empty if there are none.
  pipeline lookups(std::span<const settlement> batch) const;

  /// From the answers to `lookups`.
  static knowledge known(std::span<const settlement> batch,
                         std::span<const reply> found);

  /// The calls of the script.
  pipeline calls(std::span<const settlement> batch, const knowledge& known) const;

private:
  std::vector<std::string> places_of(const queue_name& queue, int priority,
                                    const std::string& exchange,
                                    const std::string& routing_key,
                                    const knowledge& known) const;
  size_t published(const settlement& x, const knowledge& known) const;
  void append(pipeline& commands, std::span<const settlement> batch,
              std::span<const std::string> texts, const knowledge& known) const;
  void append(pipeline& commands, const settlement& x, std::string_view text,
              const knowledge& known) const;

  keys keys_;
  places places_;
  broker_options options_;
  std::string expires_;
  std::string result_prefix_;
  std::string group_prefix_;
  std::string dead_letters_max_;
  std::string visibility_;
};

class settling {
public:
  static constexpr auto doing = "settle messages";

  /// @param words, where, batch must outlive this object.
  settling(const settlement_words& words, connection& where,
           std::span<const settlement> batch);

  /// What has to be done next.
  exchange& under_way() noexcept {
    return *under_way_;
  }

  /// When `under_way` is done. @returns the effects; none if there is another
  /// one under way now.
  expected<std::optional<std::vector<bool>>> next();

  /// As exchange::finish, to the end.
  expected<std::vector<bool>> finish();

private:
  void call(std::span<const reply> found);
  expected<std::optional<std::vector<bool>>> effects();

  const settlement_words& words_;
  connection& where_;
  std::span<const settlement> batch_;
  bool looking_up_ = false;
  std::optional<exchange> under_way_;
};

} // namespace umbel::redis
