// Stamps: headers that all tasks of a workflow carry, so that they can be told from
// others, and revoked together (Celery 5.3's `Signature.stamp`).
#pragma once

#include "protocol/canvas/signature.hpp"
#include "protocol/message/json.hpp"

#include <functional>

namespace umbel::canvas {

/// Which stamps a signature is to get.
using stamper = std::function<json::object(const signature&)>;

/// Stamps a signature, all that it is made of, and all its callbacks and errbacks.
/// The worker that runs them hands stamps on to what a retry or a replacement
/// makes of them.
/// @param append one that is there already gets the new value as well, in a list;
///               otherwise the new one instead
void stamp(signature& x, const json::object& stamps, bool append = false);

/// The same, with stamps that depend on the task: asked for each task, and not for
/// the chains, groups and chords around them.
void stamp(signature& x, const stamper& visitor, bool append = false);

/// Those that it has.
json::object stamps_of(const signature& x);

} // namespace umbel::canvas
