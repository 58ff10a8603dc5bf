// A schedule in Redis that all beats share: one of them leads.
//
// The lead is a lease that expires, and its text is the fencing token: every script
// that writes for a beat compares it first, so a beat that was paused past its lease
// changes nothing and sends nothing. If the broker is this database, messages and
// runs are written by one script.
//
// The keys are told in README.md; each script says at its top what it does.
#pragma once

#include "protocol/broker/redis/connection.hpp"
#include "protocol/broker/redis/keys.hpp"
#include "protocol/schedule/store.hpp"

#include <memory>
#include <string>

namespace umbel::schedule {

class redis_store final : public store {
public:
  /// Reads redis://..., with the option `lease` in its query: seconds, from 0.2 to
  /// 3600, after which another beat takes over. Does not connect.
  /// @param url_of_broker to see whether it is this database
  /// @param options timeouts, key prefix, names of lists
  /// @param node how this beat is called: "gen123@host"
  /// @returns `invalid_setting`, `unsupported`
  static expected<std::unique_ptr<redis_store>>
  make(const std::string& url, const std::string& url_of_broker,
       const broker_options& options, std::string node);

  /// Gives up the lead.
  ~redis_store() override;

  std::string location() const override;
  expected<void> connect() override;
  expected<leadership> lead() override;
  std::chrono::milliseconds look_interval() const override;
  std::chrono::milliseconds takeover_time() const override;
  expected<stored_schedule> load() override;
  expected<std::vector<stored_entry>>
  load(std::span<const std::string> names) override;
  expected<bool> configure(const configuration_change& x) override;
  bool publishes() const override;
  expected<bool> commit(std::span<const outgoing_message> messages,
                        const records& runs) override;
  void resign() noexcept override;
  expected<bool> put(const stored_entry& x, put_mode mode) override;
  expected<bool> remove(const std::string& name) override;
  expected<bool> request_run(const std::string& name) override;
  expected<std::string> zone() override;
  expected<std::string> leader() override;

private:
  redis_store(redis::address where, const broker_options& options,
              std::string owner);

  std::string key(const char* name) const;
  expected<bool> change(const char* how, const std::string& name,
                        const std::string& entry);
  expected<bool> done(const redis::pipeline& command, const char* doing);

  redis::address where_;
  broker_options options_;
  redis::keys keys_;
  std::string owner_; ///< "<incarnation>/<node>"
  std::chrono::milliseconds lease_{3'000};
  bool publishes_ = false;
  std::unique_ptr<redis::connection> connection_;
  std::string held_; ///< the lease; empty: does not lead
};

} // namespace umbel::schedule
