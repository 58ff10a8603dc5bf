#include "protocol/child/frames.hpp"

#include "protocol/message/json.hpp"

#include <fmt/format.h>

#include <cstring>

namespace umbel::frame {

namespace {

/// The type byte. Numbers are never reused.
enum class type : uint8_t {
  configure = 1,
  job = 2,
  recall = 3,
  stop = 4,
  interrupt = 5,
  result = 6,
  answer = 7,
  hello = 16,
  failed = 17,
  outcome = 18,
  state = 19,
  returned = 20,
  log = 21,
  call = 22,
  forget = 23,
  event = 24,
  ask = 25,
};

constexpr size_t length_bytes = sizeof(uint32_t);

/// Appends one frame; the length is filled in at the end.
class writer {
public:
  writer(std::string& out, type t) : out_(out), begin_(out.size()) {
    out_.append(length_bytes, '\0');
    integer(static_cast<uint8_t>(t));
  }

  ~writer() {
    auto length = static_cast<uint32_t>(out_.size() - begin_ - length_bytes);
    for (size_t i = 0; i < length_bytes; ++i)
      out_[begin_ + i] = static_cast<char>(length >> (8 * i));
  }

  writer(const writer&) = delete;
  writer& operator=(const writer&) = delete;

  template <class T>
  writer& integer(T x) {
    auto bits = static_cast<std::make_unsigned_t<T>>(x);
    for (size_t i = 0; i < sizeof(T); ++i)
      out_ += static_cast<char>(static_cast<uint64_t>(bits) >> (8 * i));
    return *this;
  }

  writer& string(std::string_view x) {
    integer(static_cast<uint32_t>(x.size()));
    out_ += x;
    return *this;
  }

private:
  std::string& out_;
  size_t begin_;
};

/// Reads a payload from front to back. After a read beyond the end, everything
/// is 0 or empty and `whole` is false.
class reader {
public:
  explicit reader(std::string_view rest) : rest_(rest) {
  }

  template <class T>
  T integer() {
    std::make_unsigned_t<T> to = 0;
    if (!has(sizeof(T)))
      return 0;
    for (size_t i = 0; i < sizeof(T); ++i)
      to |= static_cast<std::make_unsigned_t<T>>(
          static_cast<uint64_t>(static_cast<uint8_t>(rest_[i])) << (8 * i));
    rest_.remove_prefix(sizeof(T));
    return static_cast<T>(to);
  }

  std::string_view view() {
    auto size = integer<uint32_t>();
    if (!has(size))
      return {};
    auto to = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return to;
  }

  std::string string() {
    return std::string{view()};
  }

  /// Reads a count and then that many elements.
  template <class F>
  auto list(F element) {
    std::vector<decltype(element())> to;
    for (auto left = integer<uint32_t>(); left > 0 && valid_; --left)
      to.emplace_back(element());
    return to;
  }

  /// Whether everything was there and nothing is left.
  bool whole() const {
    return valid_ && rest_.empty();
  }

private:
  bool has(size_t bytes) {
    if (rest_.size() < bytes) {
      valid_ = false;
      rest_ = {};
    }
    return valid_;
  }

  std::string_view rest_;
  bool valid_ = true;
};

error malformed(std::string_view name) {
  return {errc::malformed,
          fmt::format("a '{}' frame has the wrong length", name)};
}

template <class Result, class T>
expected<Result> finish(const reader& from, const char* name, T&& x) {
  if (!from.whole())
    return malformed(name);
  return Result{std::forward<T>(x)};
}

/// The version stands first, so that later ones can change all the rest.
std::optional<error> check_version(reader& from) {
  auto theirs = from.integer<uint32_t>();
  if (theirs == version)
    return std::nullopt;
  return error{errc::unsupported,
               fmt::format("the peer speaks version {} of the child protocol, "
                           "this is version {}",
                           theirs, version)};
}

expected<from_child> read_hello(reader& from) {
  if (auto mismatch = check_version(from))
    return *mismatch;
  hello x;
  x.runtime = from.string();
  auto text = from.string();
  if (!from.whole())
    return malformed("hello");
  auto tasks = parse_json(text);
  if (!tasks)
    return tasks.error();
  if (!tasks->is_array())
    return error{errc::malformed, "the tasks in a 'hello' frame are no list"};
  for (auto& task : tasks->get_array()) {
    auto options = parse_task_options(task);
    if (!options)
      return options.error();
    x.tasks.emplace_back(std::move(*options));
  }
  return from_child{std::move(x)};
}

outgoing_message read_message(reader& from) {
  outgoing_message to;
  to.queue = queue_name{from.string()};
  to.priority = from.integer<int32_t>();
  to.payload = from.string();
  to.exchange = from.string();
  to.routing_key = from.string();
  return to;
}

void append(writer& to, const outgoing_message& x) {
  to.string(x.queue.str())
      .integer(static_cast<int32_t>(x.priority))
      .string(x.payload)
      .string(x.exchange)
      .string(x.routing_key);
}

expected<from_child> read_outcome(reader& from) {
  outcome x;
  x.job = from.integer<uint64_t>();
  auto kind = from.integer<uint8_t>();
  x.kind = static_cast<outcome_kind>(kind);
  x.expected = from.integer<uint8_t>() != 0;
  x.runtime = std::chrono::microseconds{from.integer<int64_t>()};
  x.document = from.string();
  x.summary = from.string();
  x.traceback = from.string();
  x.publish = from.list([&] { return read_message(from); });
  auto workflow = parse_workflow_steps(from.string());
  if (!workflow)
    return workflow.error();
  x.workflow = std::move(*workflow);
  if (kind < static_cast<uint8_t>(outcome_kind::success)
      || kind > static_cast<uint8_t>(outcome_kind::revoked))
    return error{errc::malformed, fmt::format("unknown outcome kind {}", kind)};
  return finish<from_child>(from, "outcome", std::move(x));
}

} // namespace

// -- encoding -----------------------------------------------------------------

void append(std::string& out, const configure& x) {
  writer to{out, type::configure};
  to.integer(version).integer(static_cast<uint32_t>(x.libraries.size()));
  for (auto& library : x.libraries)
    to.string(library);
  to.string(x.node).string(x.settings);
}

void append(std::string& out, const job& x) {
  writer{out, type::job}.integer(x.id).string(x.payload);
}

void append(std::string& out, const recall&) {
  writer{out, type::recall};
}

void append(std::string& out, const stop&) {
  writer{out, type::stop};
}

void append(std::string& out, const interrupt& x) {
  writer{out, type::interrupt}.integer(x.job);
}

void append(std::string& out, const hello& x) {
  json::array tasks;
  for (auto& task : x.tasks)
    tasks.emplace_back(to_json_object(task));
  std::string text;
  append_json(text, tasks);
  writer{out, type::hello}.integer(version).string(x.runtime).string(text);
}

void append(std::string& out, const failed& x) {
  writer{out, type::failed}.string(x.reason);
}

void append(std::string& out, const outcome& x) {
  writer to{out, type::outcome};
  to.integer(x.job)
      .integer(static_cast<uint8_t>(x.kind))
      .integer(static_cast<uint8_t>(x.expected))
      .integer(static_cast<int64_t>(x.runtime.count()))
      .string(x.document)
      .string(x.summary)
      .string(x.traceback)
      .integer(static_cast<uint32_t>(x.publish.size()));
  for (auto& message : x.publish)
    append(to, message);
  to.string(to_json_text(x.workflow));
}

void append(std::string& out, const event& x) {
  writer{out, type::event}.integer(x.job).string(x.type).string(x.fields);
}

void append(std::string& out, const state& x) {
  writer{out, type::state}.integer(x.job).string(x.document);
}

void append(std::string& out, const returned& x) {
  writer to{out, type::returned};
  to.integer(static_cast<uint32_t>(x.jobs.size()));
  for (auto job : x.jobs)
    to.integer(job);
}

void append(std::string& out, const log& x) {
  writer{out, type::log}.integer(x.job).integer(x.level).string(x.text);
}

void append(std::string& out, const result& x) {
  writer{out, type::result}
      .integer(x.call)
      .integer(x.failure ? static_cast<uint8_t>(*x.failure) : uint8_t{0})
      .string(x.text);
}

void append(std::string& out, const call& x) {
  writer to{out, type::call};
  to.integer(x.number)
      .string(x.id);
  append(to, x.message);
}

void append(std::string& out, const forget& x) {
  writer{out, type::forget}.integer(x.call);
}

void append(std::string& out, const answer& x) {
  writer to{out, type::answer};
  to.integer(x.question)
      .integer(x.failure ? static_cast<uint8_t>(*x.failure) : uint8_t{0})
      .string(x.reason)
      .integer(static_cast<uint32_t>(x.texts.size()));
  for (auto& text : x.texts)
    to.string(text);
}

void append(std::string& out, const ask& x) {
  writer to{out, type::ask};
  to.integer(x.number)
      .integer(static_cast<uint8_t>(x.what.kind))
      .integer(static_cast<uint32_t>(x.what.words.size()));
  for (auto& word : x.what.words)
    to.string(word);
}

// -- decoding -----------------------------------------------------------------

expected<std::string_view> next(std::string_view& buffer) {
  if (buffer.size() < length_bytes)
    return std::string_view{};
  auto length = reader{buffer}.integer<uint32_t>();
  if (length == 0 || length > bytes_max)
    return error{errc::malformed,
                 fmt::format("a frame of {} bytes: at least 1 and at most {} "
                             "are possible",
                             length, bytes_max)};
  if (buffer.size() < length_bytes + length)
    return std::string_view{};
  auto to = buffer.substr(length_bytes, length);
  buffer.remove_prefix(length_bytes + length);
  return to;
}

expected<from_parent> decode_from_parent(std::string_view frame) {
  reader from{frame};
  switch (auto t = from.integer<uint8_t>(); static_cast<type>(t)) {
    case type::configure: {
      if (auto mismatch = check_version(from))
        return *mismatch;
      configure x;
      x.libraries = from.list([&] { return from.string(); });
      x.node = from.string();
      x.settings = from.string();
      return finish<from_parent>(from, "configure", std::move(x));
    }
    case type::job: {
      auto id = from.integer<uint64_t>();
      return finish<from_parent>(from, "job", job{id, from.view()});
    }
    case type::recall:
      return finish<from_parent>(from, "recall", recall{});
    case type::stop:
      return finish<from_parent>(from, "stop", stop{});
    case type::interrupt:
      return finish<from_parent>(from, "interrupt",
                                 interrupt{from.integer<uint64_t>()});
    case type::result: {
      result x;
      x.call = from.integer<uint64_t>();
      if (auto code = from.integer<uint8_t>(); code != 0)
        x.failure = static_cast<errc>(code);
      x.text = from.string();
      return finish<from_parent>(from, "result", std::move(x));
    }
    case type::answer: {
      answer x;
      x.question = from.integer<uint64_t>();
      if (auto code = from.integer<uint8_t>(); code != 0)
        x.failure = static_cast<errc>(code);
      x.reason = from.string();
      x.texts = from.list([&] { return from.string(); });
      return finish<from_parent>(from, "answer", std::move(x));
    }
    default:
      return error{errc::malformed,
                   fmt::format("unknown frame type {} from the parent", t)};
  }
}

expected<from_child> decode_from_child(std::string_view frame) {
  reader from{frame};
  switch (auto t = from.integer<uint8_t>(); static_cast<type>(t)) {
    case type::hello:
      return read_hello(from);
    case type::failed:
      return finish<from_child>(from, "failed", failed{from.string()});
    case type::outcome:
      return read_outcome(from);
    case type::state: {
      auto job = from.integer<uint64_t>();
      return finish<from_child>(from, "state", state{job, from.string()});
    }
    case type::event: {
      event x;
      x.job = from.integer<uint64_t>();
      x.type = from.string();
      x.fields = from.string();
      return finish<from_child>(from, "event", std::move(x));
    }
    case type::returned: {
      returned x;
      x.jobs = from.list([&] { return from.integer<uint64_t>(); });
      return finish<from_child>(from, "returned", std::move(x));
    }
    case type::log: {
      auto job = from.integer<uint64_t>();
      auto level = from.integer<uint8_t>();
      return finish<from_child>(from, "log", log{job, level, from.string()});
    }
    case type::call: {
      call x;
      x.number = from.integer<uint64_t>();
      x.id = from.string();
      x.message = read_message(from);
      return finish<from_child>(from, "call", std::move(x));
    }
    case type::forget:
      return finish<from_child>(from, "forget",
                                forget{from.integer<uint64_t>()});
    case type::ask: {
      ask x;
      x.number = from.integer<uint64_t>();
      auto kind = from.integer<uint8_t>();
      x.what.kind = static_cast<question_kind>(kind);
      x.what.words = from.list([&] { return from.string(); });
      if (x.what.kind != question_kind::stored)
        return error{errc::malformed, fmt::format("unknown question {}", kind)};
      return finish<from_child>(from, "ask", std::move(x));
    }
    default:
      return error{errc::malformed,
                   fmt::format("unknown frame type {} from a child", t)};
  }
}

} // namespace umbel::frame
