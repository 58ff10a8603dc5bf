#include "protocol/control/open_message.hpp"

#include "protocol/message/envelope.hpp"
#include "protocol/message/envelope_view.hpp"

#include <algorithm>

namespace umbel::remote {

uint64_t opened_message::clock() const {
  auto x = headers.if_contains("clock");
  return x != nullptr && x->is_int64()
           ? static_cast<uint64_t>(std::max<int64_t>(0, x->get_int64()))
           : 0;
}

expected<opened_message> open_message(std::string_view payload,
                                      const content_rules& rules) {
  auto envelope = parse_envelope(payload);
  if (!envelope)
    return envelope.error();
  auto form = read_form(envelope->content_type, envelope->content_encoding,
                        envelope->headers, rules);
  if (!form)
    return form.error();
  auto body = decode_body(*form, envelope->body, rules.body_max);
  if (!body)
    return body.error();
  return opened_message{std::move(*body), std::move(envelope->headers)};
}

} // namespace umbel::remote
