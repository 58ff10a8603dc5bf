#include "apps/client/amqp_command.hpp"

#include "apps/configure.hpp"
#include "apps/exit_status.hpp"
#include "apps/remote/remote_session.hpp"
#include "apps/remote/text_table.hpp"
#include "protocol/broker/queue_admin.hpp"
#include "protocol/message/envelope.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <iostream>
#include <sstream>

#include <unistd.h>

namespace umbel::client {

namespace {

using words = std::vector<std::string>;

/// The connections of one call of `umbel amqp`.
class session {
public:
  session(std::string url, broker_options how)
      : url_(std::move(url)), how_(std::move(how)) {
  }

  expected<queue_admin*> admin() {
    if (!admin_) {
      auto opened = connect_queue_admin(url_, how_);
      if (!opened)
        return opened.error();
      admin_ = std::move(*opened);
    }
    return admin_.get();
  }

  /// @param queues that it consumes from
  expected<std::unique_ptr<broker>> open(std::vector<queue_name> queues) const {
    auto how = how_;
    how.incarnation = make_uuid();
    how.queues = std::move(queues);
    how.prefetch = 1;
    return connect_broker(url_, how);
  }

private:
  std::string url_;
  broker_options how_;
  std::unique_ptr<queue_admin> admin_;
};

bool is_true(const words& x, size_t i) {
  return i < x.size() && (x[i] == "1" || x[i] == "true" || x[i] == "yes");
}

/// What is printed of a command that has worked.
using answer = expected<std::string>;

template <class F>
answer with_admin(session& at, F&& f) {
  auto admin = at.admin();
  if (!admin)
    return admin.error();
  return f(**admin);
}

answer ok(expected<void> x) {
  if (!x)
    return x.error();
  return std::string{"ok."};
}

answer declare_exchange(session& at, const words& x) {
  return with_admin(at, [&](queue_admin& to) {
    return ok(to.declare_exchange(x[1], x.size() > 2 ? x[2] : "direct", true));
  });
}

answer delete_exchange(session& at, const words& x) {
  return with_admin(at, [&](queue_admin& to) {
    return ok(to.delete_exchange(x[1], is_true(x, 2)));
  });
}

answer declare_queue(session& at, const words& x) {
  return with_admin(at, [&](queue_admin& to) -> answer {
    auto waiting = to.declare_queue(x[1], true);
    if (!waiting)
      return waiting.error();
    return fmt::format("ok. queue:{} messages:{}", x[1], *waiting);
  });
}

answer delete_queue(session& at, const words& x) {
  return with_admin(at, [&](queue_admin& to) -> answer {
    auto deleted = to.delete_queue(x[1], is_true(x, 2), is_true(x, 3));
    if (!deleted)
      return deleted.error();
    return fmt::format("ok. {} messages deleted.", *deleted);
  });
}

answer bind_queue(session& at, const words& x) {
  return with_admin(at, [&](queue_admin& to) {
    return ok(to.bind({x[1], x[2], x.size() > 3 ? x[3] : x[1]}));
  });
}

answer purge_queue(session& at, const words& x) {
  auto to = at.open({});
  if (!to)
    return to.error();
  auto deleted = (*to)->purge(queue_name{x[1]});
  if (!deleted)
    return deleted.error();
  return fmt::format("ok. {} messages deleted.", *deleted);
}

answer publish(session& at, const words& x) {
  auto to = at.open({});
  if (!to)
    return to.error();
  envelope message;
  message.body = x[1];
  message.content_type = "text/plain";
  message.content_encoding = "utf-8";
  auto exchange = x.size() > 2 ? x[2] : "";
  auto key = x.size() > 3 ? x[3] : "";
  message.properties["delivery_info"]
    = json::object{{"exchange", exchange}, {"routing_key", key}};
  auto reached = (*to)->publish(exchange, key, to_text(message), 0);
  if (!reached)
    return reached.error();
  return std::string{"ok."};
}

/// Shows the next message. It goes back, and is the next one again.
answer get(session& at, const words& x) {
  const queue_name queue{x[1]};
  auto from = at.open({queue});
  if (!from)
    return from.error();
  if (auto done = (*from)->renew({}); !done)
    return done.error();
  auto waiting = (*from)->size(queue);
  if (!waiting)
    return waiting.error();
  std::vector<delivery> taken;
  // Some brokers send messages unasked: they may be on their way.
  for (int i = 0; i < 20 && *waiting > 0 && taken.empty(); ++i) {
    auto found = (*from)->reserve(1);
    if (!found)
      return found.error();
    taken = std::move(*found);
    if (taken.empty())
      if (auto done = (*from)->wait(std::chrono::milliseconds{100}); !done)
        return done.error();
  }
  if (taken.empty())
    return std::string{"No messages in queue. basic.publish something."};
  settlement back;
  back.tag = taken[0].tag;
  back.queue = queue;
  back.how = is_true(x, 2) ? disposition::ack : disposition::restore;
  if (auto done = (*from)->settle({&back, 1}); !done)
    return done.error();
  if (auto done = (*from)->release(); !done)
    return done.error();
  auto message = parse_envelope(taken[0].payload);
  if (!message)
    return taken[0].payload;
  return to_json(json::object{{"body", message->body},
                              {"headers", message->headers},
                              {"properties", message->properties}});
}

struct command {
  const char* name;
  const char* arguments;
  size_t least; ///< arguments
  size_t most;
  answer (*run)(session&, const words&);
  const char* meaning;
};

constexpr command commands[] = {
  {"exchange.declare", "EXCHANGE [TYPE]", 1, 2, declare_exchange,
   "direct, topic or fanout; durable"},
  {"exchange.delete", "EXCHANGE [IF_UNUSED]", 1, 2, delete_exchange, ""},
  {"queue.declare", "QUEUE", 1, 1, declare_queue, "durable"},
  {"queue.bind", "QUEUE EXCHANGE [ROUTING_KEY]", 2, 3, bind_queue, ""},
  {"queue.delete", "QUEUE [IF_UNUSED [IF_EMPTY]]", 1, 3, delete_queue, ""},
  {"queue.purge", "QUEUE", 1, 1, purge_queue, "deletes what waits in it"},
  {"basic.get", "QUEUE [NO_ACK]", 1, 2, get,
   "shows the next message; with true it is taken out"},
  {"basic.publish", "MESSAGE [EXCHANGE [ROUTING_KEY]]", 1, 3, publish,
   "a text; no task"},
};

int carry_out(const std::string& name, session& at, const words& x) {
  for (auto& one : commands) {
    if (x[0] != one.name)
      continue;
    if (x.size() - 1 < one.least || x.size() - 1 > one.most)
      return refuse(name, fmt::format("{} {}", one.name, one.arguments),
                    exit_usage);
    auto said = one.run(at, x);
    if (!said)
      return refuse(name, said.error().what,
                    said.error().code == errc::refused
                      ? exit_failure
                      : status_of(said.error()));
    std::printf("%s\n", said->c_str());
    std::fflush(stdout);
    return exit_ok;
  }
  return refuse(name, "'" + x[0] + "' is none of its commands; see " + name
                        + " --help",
                exit_usage);
}

words split(const std::string& line) {
  std::istringstream in{line};
  words to;
  for (std::string word; in >> word;)
    to.push_back(std::move(word));
  return to;
}

} // namespace

std::string help_of_amqp() {
  std::string to = "Commands:\n";
  for (auto& x : commands) {
    auto usage = fmt::format("{} {}", x.name, x.arguments);
    to += fmt::format("  {:<46}{}", usage, x.meaning);
    to.erase(to.find_last_not_of(' ') + 1);
    to += '\n';
  }
  return to;
}

int run_amqp(const std::string& name, const options& given,
             const std::vector<std::string>& given_words) {
  auto loaded = read_settings(name, given);
  if (!loaded)
    return refuse(name, loaded.error());
  auto how = to_broker_options(*loaded);
  how.incarnation = make_uuid();
  how.node = node_name{"amqp@" + how.incarnation};
  session at{loaded->broker_url, std::move(how)};
  if (!given_words.empty())
    return carry_out(name, at, given_words);
  auto asks = ::isatty(STDIN_FILENO) != 0;
  int status = exit_ok;
  for (std::string line;;) {
    if (asks)
      std::fputs("amqp> ", stderr);
    if (!std::getline(std::cin, line))
      return status;
    auto x = split(line);
    if (x.empty())
      continue;
    if (auto failed = carry_out(name, at, x); failed != exit_ok)
      status = failed;
  }
}

int list_bindings(const std::string& name, const options& given) {
  auto loaded = read_settings(name, given);
  if (!loaded)
    return refuse(name, loaded.error());
  auto how = to_broker_options(*loaded);
  how.incarnation = make_uuid();
  how.node = node_name{"list@" + how.incarnation};
  how.queues.emplace_back(loaded->task_default_queue);
  for (auto& queue : loaded->task_queues)
    if (queue.name != loaded->task_default_queue)
      how.queues.emplace_back(queue.name);
  auto all = umbel::list_bindings(loaded->broker_url, how);
  if (!all)
    return refuse(name, all.error());
  text_table table{{"QUEUE", "EXCHANGE", "ROUTING KEY"}};
  for (auto& x : all->bindings)
    table.add({x.queue, x.exchange, x.routing_key});
  std::fputs(table.text().c_str(), stdout);
  if (!all->limit.empty())
    std::fprintf(stderr, "%s: %s\n", name.c_str(), all->limit.c_str());
  return exit_ok;
}

} // namespace umbel::client
