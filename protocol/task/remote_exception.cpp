#include "protocol/task/remote_exception.hpp"

#include <string>

namespace umbel {

namespace {

/// A text member, or what is said instead.
std::string text(const json::object& in, const char* key, const char* instead) {
  auto* x = in.if_contains(key);
  return x && x->is_string() ? x->get_string().c_str() : instead;
}

} // namespace

exception remote_exception(const json::value* result) {
  auto* x = result ? result->if_object() : nullptr;
  if (!x)
    return exception("Exception");
  json::array args;
  if (auto* message = x->if_contains("exc_message")) {
    if (message->is_array())
      args = message->get_array();
    else
      args.push_back(*message);
  }
  return exception(text(*x, "exc_type", "Exception"), std::move(args),
                   text(*x, "exc_module", "builtins"));
}

exception no_result(const error& why) {
  if (why.code == errc::duplicate || why.code == errc::refused)
    return exception("TaskRevokedError", {json::string{why.what}},
                     "celery.exceptions");
  if (why.code == errc::timeout)
    return exception("TimeoutError", {json::string{why.what}},
                     "celery.exceptions");
  return exception("OperationalError", {json::string{why.what}},
                   "kombu.exceptions");
}

exception queue_not_found(const error& why) {
  return exception("QueueNotFound", {json::string{why.what}},
                   "celery.exceptions");
}

} // namespace umbel
