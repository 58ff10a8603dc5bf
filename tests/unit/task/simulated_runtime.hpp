// A runtime whose time passes when the test says so.
#pragma once

#include "protocol/broker/broker.hpp"
#include "protocol/task/http.hpp"
#include "protocol/task/runtime.hpp"

#include <deque>
#include <map>
#include <utility>
#include <vector>

class simulated_runtime : public umbel::runtime {
public:
  void post(std::function<void()> f) override {
    posted_.push_back(std::move(f));
  }

  time_point now() const override {
    return now_;
  }

  std::unique_ptr<operation> at(time_point when,
                                std::function<void()> f) override {
    auto id = ++last_;
    timers_.emplace(std::pair{when, id}, std::move(f));
    return std::make_unique<timer>(*this, std::pair{when, id});
  }

  std::unique_ptr<operation>
  send(umbel::http_request request,
       std::function<void(umbel::expected<umbel::http_response>)> f) override {
    requests.push_back(std::move(request));
    return at(now_, [this, f = std::move(f)] { f(response); });
  }

  std::unique_ptr<operation>
  call(umbel::task_id, umbel::outgoing_message message,
       std::function<void(umbel::expected<std::string>)> f) override {
    calls.push_back(std::move(message));
    return at(now_ + call_takes, [this, f = std::move(f)] { f(document); });
  }

  umbel::expected<std::vector<std::string>>
  ask(umbel::question x) override {
    std::vector<std::string> found;
    for (auto& id : x.words)
      found.push_back(stored[id]);
    return found;
  }

  std::map<std::string, std::string> stored; ///< documents, by task

  /// What was published, how long it takes, and what it ends with.
  std::vector<umbel::outgoing_message> calls;
  std::chrono::steady_clock::duration call_takes{0};
  umbel::expected<std::string> document;

  /// What was sent, and what is answered.
  std::vector<umbel::http_request> requests;
  umbel::expected<umbel::http_response> response;

  /// Lets time pass, in steps from one due timer to the next.
  void advance(std::chrono::steady_clock::duration time) {
    auto until = now_ + time;
    run_posted();
    while (!timers_.empty() && timers_.begin()->first.first <= until) {
      auto due = timers_.extract(timers_.begin());
      now_ = std::max(now_, due.key().first);
      due.mapped()();
      run_posted();
    }
    now_ = until;
  }

  void run_posted() {
    while (!posted_.empty()) {
      auto f = std::move(posted_.front());
      posted_.pop_front();
      f();
    }
  }

  /// Functions that were posted and did not run yet.
  size_t posted() const {
    return posted_.size();
  }

  /// Operations that have not ended.
  size_t pending() const {
    return timers_.size();
  }

private:
  using key = std::pair<time_point, uint64_t>;

  struct timer : operation {
    timer(simulated_runtime& owner, key id) : owner(owner), id(id) {
    }

    ~timer() override {
      owner.timers_.erase(id);
    }

    simulated_runtime& owner;
    key id;
  };

  time_point now_{};
  std::map<key, std::function<void()>> timers_;
  std::deque<std::function<void()>> posted_;
  uint64_t last_ = 0;
};
