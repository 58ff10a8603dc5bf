// The quickest worker that can be: it takes one message, runs nothing, and
// answers 8 at once. What a client measures against it is the cost of the
// client and the broker; what it measures more with a real worker is the
// worker's own share.
//
// Usage: ideal_worker <port>
#include <hiredis/hiredis.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

namespace {

struct free_reply {
  void operator()(redisReply* reply) const {
    freeReplyObject(reply);
  }
};

using reply_ptr = std::unique_ptr<redisReply, free_reply>;

reply_ptr next_reply(redisContext* redis) {
  void* reply = nullptr;
  if (redisGetReply(redis, &reply) != REDIS_OK) {
    std::fprintf(stderr, "ideal_worker: %s\n", redis->errstr);
    std::exit(1);
  }
  return reply_ptr{static_cast<redisReply*>(reply)};
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: ideal_worker <port>\n");
    return 2;
  }
  auto redis = redisConnect("127.0.0.1", std::atoi(argv[1]));
  if (redis == nullptr || redis->err != 0)
    return 1;
  constexpr std::string_view id_key = "\"id\": \"";
  for (;;) {
    redisAppendCommand(redis, "BRPOP celery 0");
    auto popped = next_reply(redis);
    std::string message{popped->element[1]->str, popped->element[1]->len};
    auto id = message.substr(message.find(id_key) + id_key.size(), 36);
    auto key = "celery-task-meta-" + id;
    auto document = R"({"status": "SUCCESS", "result": 8, "traceback": null, )"
                    R"("children": [], "date_done": )"
                    R"("2026-01-01T00:00:00.000000", "task_id": ")"
                    + id + "\"}";
    redisAppendCommand(redis, "SETEX %s 86400 %s", key.c_str(),
                       document.c_str());
    redisAppendCommand(redis, "PUBLISH %s %s", key.c_str(), document.c_str());
    next_reply(redis);
    next_reply(redis);
  }
}
