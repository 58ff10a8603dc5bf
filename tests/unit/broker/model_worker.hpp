// The smallest worker that follows the rules of broker.hpp, one step at a time
// and without threads, so that a seed replays it:
//
// 1. It connects, continuing the numbers of its tags after the last delivery
//    that it read.
// 2. It sends again what was not confirmed, before anything else.
// 3. It reserves a batch, "runs" it, and settles.
// 4. After any error it drops the connection and begins again at 1.
// 5. With `delays`, every message whose number is divisible by 3 is first delayed
//    and run when it comes back.
//
// Every other task acknowledges early: its tag goes when it starts, and its
// result and follow-up come with `none`.
#pragma once

#include "tests/unit/broker/unreliable_broker.hpp"
#include "tests/unit/broker/world.hpp"

#include <algorithm>
#include <set>
#include <string>

namespace umbel::test {

class model_worker {
public:
  /// @param delays what has been delayed once, by all workers of a run; null:
  /// no delays
  model_worker(world& w, bad_network& network, broker_options options,
               bool early_acks, std::set<std::string>* delays = nullptr)
      : world_(w), network_(network), options_(std::move(options)),
        early_acks_(early_acks), delays_(delays) {
    // nop
  }

  /// Goes on for one operation on the broker.
  void step() {
    if (!broker_) {
      auto x = unreliable_broker::connect(
          [this] { return world_.connect(options_); }, network_);
      if (x)
        broker_ = std::move(*x);
      return;
    }
    if (++steps_ % 7 == 0)
      renew_and_recover();
    else if (!unconfirmed_.empty())
      settle();
    else
      reserve();
  }

  /// Whether it has nothing to do that it knows of.
  bool idle() const {
    return broker_ && idle_ && unconfirmed_.empty();
  }

  /// Whether it has work in hand.
  bool busy() const {
    return !unconfirmed_.empty();
  }

  /// How often it saw something that another owner must have done.
  size_t fences() const {
    return fences_;
  }

  /// How many messages of others it has put back.
  size_t recovered() const {
    return recovered_;
  }

private:
  void drop_connection() {
    broker_.reset();
    resent_ = true;
  }

  void reserve() {
    auto got = broker_->reserve(5);
    if (!got)
      return drop_connection();
    idle_ = got->empty();
    for (auto& x : *got) {
      auto& tag = x.tag.str();
      auto sequence = std::stoull(tag.substr(tag.rfind('/') + 1));
      options_.first_sequence =
          std::max<uint64_t>(options_.first_sequence, sequence + 1);
      auto id = id_of(x.payload);
      auto s = settled(x);
      if (delays_ && std::stoi(id) % 3 == 0 && delays_->insert(id).second) {
        s.how = disposition::delay;
        s.due = timestamp{world_.now() + std::stoi(id) % 10 * 1ms};
        unconfirmed_.push_back(std::move(s));
        continue;
      }
      if (early_acks_ && std::stoi(id) % 2 == 0) {
        unconfirmed_.push_back(s);
        s.how = disposition::none;
      }
      s.result = success(id);
      s.publish = {to("next", id)};
      unconfirmed_.push_back(std::move(s));
    }
  }

  void settle() {
    auto effects = broker_->settle(unconfirmed_);
    if (!effects)
      return drop_connection();
    // After a lost reply "no effect" may mean that the first try had it.
    if (!std::exchange(resent_, false))
      fences_ += static_cast<size_t>(
          std::count(effects->begin(), effects->end(), false));
    unconfirmed_.clear();
  }

  void renew_and_recover() {
    std::vector<delivery_tag> tags;
    for (auto& x : unconfirmed_)
      tags.push_back(x.tag);
    if (!broker_->renew(tags))
      return drop_connection();
    if (auto report = broker_->recover())
      recovered_ += report->restored;
    else
      return drop_connection();
    if (!broker_->forward())
      drop_connection();
  }

  world& world_;
  bad_network& network_;
  broker_options options_;
  bool early_acks_;
  std::set<std::string>* delays_;
  std::unique_ptr<broker> broker_;
  std::vector<settlement> unconfirmed_;
  bool resent_ = false; ///< whether some of those may have been carried out
  bool idle_ = false;
  size_t steps_ = 0;
  size_t fences_ = 0;
  size_t recovered_ = 0;
};

} // namespace umbel::test
