#include "apps/child/connection.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <thread>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

namespace umbel {

namespace {

/// One read. More than a socket's buffer usually holds.
constexpr size_t read_bytes = 64 * 1024;

/// A buffer that has grown beyond this is given back when it is empty.
constexpr size_t buffer_bytes_kept = 1024 * 1024;

/// Without a parent there is nobody to work for, and nobody who would collect
/// what static destructors do: leave as if killed.
[[noreturn]] void leave_orphaned() {
  _exit(0);
}

[[noreturn]] void leave_confused(const std::string& why) {
  std::fprintf(stderr, "umbel child %d: %s\n", getpid(), why.c_str());
  _exit(2);
}

} // namespace

connection::connection(int socket) : socket_(socket), input_(read_bytes) {
}

// -- main thread --------------------------------------------------------------

frame::configure connection::receive_configure() {
  std::lock_guard guard{mutex_};
  while (!configure_) {
    wait_for_input();
    receive();
    if (!configure_ && (!queue_.empty() || stopping_))
      leave_confused("the first frame is not 'configure'");
  }
  return std::move(*configure_);
}

void connection::start_watcher(std::function<void(uint64_t)> interrupt) {
  interrupt_ = std::move(interrupt);
  timer_ = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (timer_ < 0 || wake_ < 0)
    leave_confused(std::string{"cannot make a timer: "} + strerror(errno));
  std::thread{[this] { watch(); }}.detach();
}

std::optional<connection::queued_job> connection::next() {
  std::unique_lock guard{mutex_};
  while (queue_.empty()) {
    if (stopping_)
      return std::nullopt;
    guard.unlock();
    wait_for_input();
    guard.lock();
    receive();
  }
  auto to = std::move(queue_.front());
  queue_.pop_front();
  running_ = to.id;
  // It is not turned off in between: to set it costs more than all else here, and
  // short jobs that come one at a time share it.
  if (!timer_set_)
    set_timer();
  return to;
}

void connection::finish(outcome x) {
  std::lock_guard guard{mutex_};
  running_ = 0;
  send_locked(std::move(x));
}

void connection::interrupt_running() noexcept {
  auto saved = errno;
  uint64_t one = 1;
  [[maybe_unused]] auto n = write(wake_, &one, sizeof(one));
  errno = saved;
}

// -- any thread ---------------------------------------------------------------

void connection::state(uint64_t job, std::string document) {
  send(frame::state{job, std::move(document)});
}

void connection::event(uint64_t job, std::string type, std::string fields) {
  send(frame::event{job, std::move(type), std::move(fields)});
}

void connection::log(uint64_t job, uint8_t level, std::string_view text) {
  send(frame::log{job, level, std::string{text}});
}

uint64_t connection::call(task_id id, outgoing_message message, handler f) {
  std::lock_guard guard{mutex_};
  auto number = ++last_call_;
  calls_.emplace(number, std::move(f));
  send_locked(frame::call{number, id.str(), std::move(message)});
  return number;
}

void connection::forget(uint64_t number) {
  std::lock_guard guard{mutex_};
  if (calls_.erase(number) > 0)
    send_locked(frame::forget{number});
}

void connection::ask(question x, answer_handler f) {
  std::lock_guard guard{mutex_};
  questions_.emplace(++last_question_, std::move(f));
  send_locked(frame::ask{last_question_, std::move(x)});
}

// -- output -------------------------------------------------------------------

void connection::send(const frame::from_child& x) {
  std::lock_guard guard{mutex_};
  send_locked(x);
}

void connection::send_locked(const frame::from_child& x) {
  output_.clear();
  std::visit([this](auto& y) { frame::append(output_, y); }, x);
  write_out(output_);
  if (output_.capacity() > buffer_bytes_kept)
    std::string{}.swap(output_);
}

void connection::send_bytes(std::string_view frame) {
  std::lock_guard guard{mutex_};
  write_out(frame);
}

void connection::write_out(std::string_view rest) {
  while (!rest.empty()) {
    auto n = ::send(socket_, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (n >= 0)
      rest.remove_prefix(static_cast<size_t>(n));
    else if (errno != EINTR)
      leave_orphaned();
  }
}

// -- input --------------------------------------------------------------------

void connection::wait_for_input() {
  pollfd fd{socket_, POLLIN, 0};
  while (poll(&fd, 1, -1) < 0)
    if (errno != EINTR)
      leave_confused(std::string{"cannot wait: "} + strerror(errno));
}

/// Reads what is there, without waiting.
void connection::receive() {
  auto n = recv(socket_, input_.data() + input_size_,
                input_.size() - input_size_, MSG_DONTWAIT);
  if (n == 0)
    leave_orphaned();
  if (n < 0) {
    if (errno == EAGAIN || errno == EINTR)
      return;
    leave_orphaned();
  }
  input_size_ += static_cast<size_t>(n);
  std::string_view rest{input_.data(), input_size_};
  for (;;) {
    auto frame = frame::next(rest);
    if (!frame)
      leave_confused(frame.error().what);
    if (frame->empty())
      break;
    auto decoded = frame::decode_from_parent(*frame);
    if (!decoded)
      leave_confused(decoded.error().what);
    std::visit([this](auto& x) { handle(x); }, *decoded);
  }
  std::memmove(input_.data(), rest.data(), rest.size());
  input_size_ = rest.size();
  if (input_.size() - input_size_ < read_bytes)
    input_.resize(2 * input_.size());
  else if (input_.size() > buffer_bytes_kept && input_size_ == 0)
    std::vector<char>(read_bytes).swap(input_);
}

void connection::handle(frame::configure x) {
  if (configure_)
    leave_confused("a second 'configure'");
  configure_ = std::move(x);
}

void connection::handle(const frame::job& x) {
  queue_.push_back({x.id, std::string{x.payload}});
}

void connection::handle(frame::recall) {
  frame::returned answer;
  for (auto& x : queue_)
    answer.jobs.push_back(x.id);
  queue_.clear();
  send_locked(answer);
}

void connection::handle(frame::stop) {
  stopping_ = true;
  handle(frame::recall{});
}

void connection::handle(frame::interrupt x) {
  // Before the watcher there is no job, hence nothing to interrupt.
  if (interrupt_)
    interrupt_(x.job);
}

/// The handler hands it on to the thread of the task and comes not back here.
void connection::handle(frame::result x) {
  auto call = calls_.extract(x.call);
  if (!call)
    return; // it was forgotten meanwhile
  if (x.failure)
    call.mapped()(error{*x.failure, std::move(x.text)});
  else
    call.mapped()(std::move(x.text));
}

void connection::handle(frame::answer x) {
  auto question = questions_.extract(x.question);
  if (!question)
    return;
  if (x.failure)
    question.mapped()(error{*x.failure, std::move(x.reason)});
  else
    question.mapped()(std::move(x.texts));
}

// -- the watcher --------------------------------------------------------------

void connection::set_timer() {
  itimerspec spec{};
  spec.it_value.tv_nsec = std::chrono::nanoseconds{tick}.count();
  timerfd_settime(timer_, 0, &spec, nullptr);
  timer_set_ = true;
}

void connection::watch() {
  pollfd fds[] = {{timer_, POLLIN, 0}, {-1, POLLIN, 0}, {wake_, POLLIN, 0}};
  for (;;) {
    if (poll(fds, std::size(fds), -1) < 0)
      continue; // a signal
    std::lock_guard guard{mutex_};
    // With no job running, the main thread waits at the socket: what is taken
    // from it here would not wake that thread.
    if (fds[1].revents && running_)
      receive();
    if (fds[0].revents)
      on_tick();
    if (uint64_t n = 0; fds[2].revents && read(wake_, &n, sizeof(n)) > 0
                        && running_)
      interrupt_(running_);
    // Watches for the main thread while the same job goes on. poll leaves out a
    // negative descriptor.
    fds[1].fd = running_ && !timer_set_ ? socket_ : -1;
  }
}

void connection::on_tick() {
  uint64_t expirations = 0;
  if (read(timer_, &expirations, sizeof(expirations)) < 0)
    return;
  timer_set_ = false;
  if (!running_)
    return;
  receive();
  if (running_ != seen_running_) {
    seen_running_ = running_;
    set_timer();
  }
}

} // namespace umbel
