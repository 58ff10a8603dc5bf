#include "protocol/broker/redis/exchange.hpp"

#include <utility>

namespace umbel::redis {

exchange::exchange(connection& where, pipeline commands, const char* doing)
    : where_(where), commands_(std::move(commands)), doing_(doing),
      unsent_(commands_.bytes()), done_(commands_.size() == 0) {
  replies_.reserve(commands_.size());
}

expected<void> exchange::send() {
  if (unsent_.empty())
    return {};
  auto n = where_.send_now(unsent_, doing_);
  if (!n)
    return n.error();
  unsent_.remove_prefix(*n);
  return {};
}

expected<void> exchange::finish() {
  while (!done_) {
    if (!unsent_.empty())
      if (auto ok = where_.send(std::exchange(unsent_, {}), doing_); !ok)
        return ok.error();
    auto x = where_.receive(doing_);
    if (!x)
      return x.error();
    take(std::move(*x));
  }
  return {};
}

exchange::progress exchange::take(reply x) {
  if (unwanted_ > 0) {
    --unwanted_;
    return progress::more;
  }
  if (repeating_) {
    replies_[forgotten_[repeated_++]] = std::move(x);
    done_ = repeated_ == forgotten_.size();
  } else {
    if (is_error(*x) && text_of(*x).starts_with("NOSCRIPT"))
      forgotten_.push_back(replies_.size());
    replies_.push_back(std::move(x));
    if (replies_.size() < commands_.size())
      return progress::more;
    done_ = forgotten_.empty();
    if (!done_) {
      repeat_forgotten();
      return progress::again;
    }
  }
  return done_ ? progress::done : progress::more;
}

// The server was restarted behind a proxy, or its scripts were flushed. What
// answered NOSCRIPT has done nothing, so it can be repeated.
void exchange::repeat_forgotten() {
  repeating_ = true;
  pipeline load;
  for (auto* x : where_.scripts())
    load.add({"SCRIPT", "LOAD", x->text});
  unwanted_ = load.size();
  again_ = load.bytes();
  for (auto i : forgotten_)
    again_ += commands_.command(i);
  unsent_ = again_;
}

expected<void> exchange::check() const {
  for (auto& x : replies_)
    if (is_error(*x))
      return where_.refusal(*x, doing_);
  return {};
}

} // namespace umbel::redis
