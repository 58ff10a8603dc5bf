#include "protocol/task/call.hpp"

#include "protocol/backend/document.hpp"
#include "protocol/broker/broker.hpp"
#include "protocol/task/context.hpp"
#include "protocol/task/eager.hpp"
#include "protocol/task/remote_exception.hpp"

namespace umbel::detail {

std::unique_ptr<runtime::operation> call_wait_base::begin(runtime& where) {
  task_call message;
  message.task = what_.task;
  message.id = make_uuid();
  message.args = std::move(what_.args);
  message.kwargs = std::move(what_.kwargs);
  message.headers = std::move(what_.headers);
  auto out = self().adopt(message, what_.options);
  auto id = task_id{message.id};
  if (what_.timeout)
    clock_ = where.at(where.now() + *what_.timeout, [this] {
      end(error{errc::timeout, "no result of " + what_.task + " in time"});
    });
  auto told = [this](expected<std::string> x) { end(std::move(x)); };
  if (self().settings().task_always_eager)
    return run_eagerly(self(), where, std::move(id), std::move(out), told);
  return where.call(std::move(id), std::move(out), told);
}

void call_wait_base::end(expected<std::string> document) {
  if (!waiting())
    return; // the other one, clock or result, was first
  document_ = std::move(document);
  finish();
}

json::value call_wait_base::take() {
  check();
  if (!document_)
    throw no_result(document_.error());
  auto& settings = self().settings();
  if (!settings.result_accepted)
    throw no_result({errc::malformed,
                     "results are written in "
                         + std::string{name_of(settings.result_serializer)}
                         + ", which result_accept_content (or accept_content) "
                           "refuses"});
  auto document = parse_document(settings.result_serializer, *document_);
  if (!document)
    throw no_result({errc::malformed,
                     what_.task + ": " + document.error().what});
  auto* result = document->if_contains("result");
  auto* status = document->if_contains("status");
  if (!status || *status != "SUCCESS")
    throw remote_exception(result);
  return result ? *result : json::value{};
}

void call_wait_base::throw_wrong_result(const bad_argument& why) const {
  throw exception("TypeError",
                  {"result of " + what_.task + why.path + ' ' + why.what});
}

} // namespace umbel::detail
