// How a message's body is written: its serializer and its compression, under
// the names and content types of kombu (contract sections 1.5 and 2.2).
//
// Every peer may choose both for each message. A worker takes the serializers
// that `accept_content` names; compression needs no permission, but has bounds.
#pragma once

#include "protocol/error.hpp"
#include "protocol/message/json.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace umbel {

// -- serializers ----------------------------------------------------------------

/// What can carry a task. kombu's pickle is refused, and its raw types
/// (application/data, text/plain) hold bytes or text, never a task.
enum class serializer : uint8_t { json, yaml, msgpack };

/// kombu's name, as in `task_serializer`: "msgpack".
std::string_view name_of(serializer x) noexcept;
std::string_view content_type_of(serializer x) noexcept;
std::string_view content_encoding_of(serializer x) noexcept;

/// The names for settings.
std::span<const std::string_view> serializer_names();

/// By kombu's name or by content type. @returns `unsupported` with the reason,
/// and for pickle with what to do instead.
expected<serializer> parse_serializer(std::string_view name);

/// Writes a value. What JSON lacks is tagged in it (`check_tags`): yaml and
/// msgpack get bytes of their own kind, yaml times as well; all else becomes
/// text, as in kombu before 5.3.
std::string serialize(serializer how, const json::value& x);

/// Reads what `serialize` or kombu wrote; bytes and times come back tagged.
/// @param max bound of what the aliases of yaml expand to, in bytes
/// @returns `malformed` with the reason
expected<json::value> deserialize(serializer how, std::string_view bytes,
                                  size_t max);

// -- compression ------------------------------------------------------------------

enum class compression : uint8_t { none, zlib, bzip2, lzma, zstd, brotli };

/// kombu's name, as in `task_compression`: "zlib". Empty for `none`.
std::string_view name_of(compression x) noexcept;

/// What the header `compression` says: a mime type, "application/x-gzip". Empty
/// for `none`.
std::string_view mime_type_of(compression x) noexcept;

/// The names for settings.
std::span<const std::string_view> compression_names();

/// By kombu's names, aliases and mime types; nothing is `none`.
/// @returns `unsupported` with the names that are known
expected<compression> parse_compression(std::string_view name);

std::string compress(compression how, std::string_view bytes);

/// Stops as soon as the output passes a bound: `max` bytes, or 16 MiB if that is
/// more than 2,000 times the input. @returns `malformed` with the reason
expected<std::string> decompress(compression how, std::string_view bytes,
                                 size_t max);

// -- both ---------------------------------------------------------------------------

/// How one body is written.
struct body_form {
  umbel::serializer serializer = umbel::serializer::json;
  umbel::compression compression = umbel::compression::none;

  bool plain_json() const noexcept {
    return serializer == umbel::serializer::json
           && compression == umbel::compression::none;
  }
};

/// What a node takes from strangers.
struct content_rules {
  /// `accept_content`. Never empty.
  std::vector<serializer> accepted{serializer::json};
  /// `task_body_max`, in bytes: of a body after decompression, and of what
  /// aliases expand to.
  size_t body_max = 128u << 20;

  bool accepts(serializer x) const noexcept;
};

/// A body as it travels.
std::string encode_body(const body_form& form, const json::value& x);

/// The value of a body that came in this form.
expected<json::value> decode_body(const body_form& form, std::string_view bytes,
                                  size_t max);

} // namespace umbel
