// The child protocol (design section 6): what a worker and its child processes
// say to each other over one stream socket. protocol/child/README.md is its
// specification, written for whoever builds a child in another language.
//
// A frame is a little-endian u32 length of what follows, one type byte, and the
// payload. Integers are little-endian, strings are a u32 length and the bytes.
#pragma once

#include "protocol/error.hpp"
#include "protocol/task/options.hpp"
#include "protocol/task/outcome.hpp"
#include "protocol/task/question.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace umbel::frame {

/// Largest frame that is accepted, in bytes.
constexpr uint32_t bytes_max = 256u << 20;

/// Version of this protocol. Both sides say theirs; a peer with another one is
/// refused.
constexpr uint32_t version = 1;

// -- parent to child ------------------------------------------------------------

/// The first frame: what to load, and who one is.
struct configure {
  std::vector<std::string> libraries; ///< paths of task libraries
  std::string node;                   ///< "celery@host"
  std::string settings;               ///< settings as JSON text
};

/// Run this. Jobs run in the order in which they come.
struct job {
  uint64_t id = 0; ///< the parent's number, not 0
  std::string_view payload; ///< envelope as JSON text
};

/// Give back what has not been started.
struct recall {};

/// Ask this run to end: its soft time limit is over. To be ignored if it is not
/// the one that runs.
struct interrupt {
  uint64_t job = 0;
};

/// Finish the current job, give back the others, and leave with status 0.
struct stop {};

/// The end of a task that was called, or why there will be none.
struct result {
  uint64_t call = 0;
  std::optional<errc> failure;
  std::string text; ///< the document, or what the failure is
};

/// The answer to a question of the child, or why there is none.
struct answer {
  uint64_t question = 0;
  std::optional<errc> failure;
  std::string reason; ///< of a failure
  std::vector<std::string> texts;
};

// -- child to parent ------------------------------------------------------------

/// Ready, with these tasks.
struct hello {
  std::string runtime; ///< "c++"
  std::vector<task_options> tasks;
};

/// The libraries could not be loaded; the child leaves with status 1.
struct failed {
  std::string reason; ///< one line for the operator
};

/// An intermediate state to store: STARTED or a custom one.
struct state {
  uint64_t job = 0;
  std::string document;
};

/// Tell monitors of it: an event of the task's own.
struct event {
  uint64_t job = 0;
  std::string type;   ///< "task-progress"
  std::string fields; ///< a JSON object
};

/// Answer to `recall` and `stop`: these were not started. Always sent, even
/// when empty.
struct returned {
  std::vector<uint64_t> jobs;
};

/// A line for the parent's log.
struct log {
  uint64_t job = 0; ///< 0: none
  uint8_t level = 2; ///< spdlog's: 0 trace .. 5 critical
  std::string text;
};

/// Publish this task and wait for its result: the answer is `result`.
struct call {
  uint64_t number = 0; ///< the child's, used once
  std::string id;      ///< the task's
  outgoing_message message;
};

/// No answer to this call is wanted any more.
struct forget {
  uint64_t call = 0;
};

/// The running task wants to know something of the result store or the broker:
/// the answer is `answer`.
struct ask {
  uint64_t number = 0; ///< the child's, used once
  question what;
};

using from_parent = std::variant<configure, job, recall, stop, interrupt, result,
                                 answer>;
using from_child = std::variant<hello, failed, outcome, state, event, returned, log,
                                call, forget, ask>;

// -- encoding: each appends one whole frame to `out` ------------------------------

void append(std::string& out, const configure& x);
void append(std::string& out, const job& x);
void append(std::string& out, const recall& x);
void append(std::string& out, const stop& x);
void append(std::string& out, const interrupt& x);
void append(std::string& out, const hello& x);
void append(std::string& out, const failed& x);
void append(std::string& out, const outcome& x);
void append(std::string& out, const state& x);
void append(std::string& out, const event& x);
void append(std::string& out, const returned& x);
void append(std::string& out, const log& x);
void append(std::string& out, const result& x);
void append(std::string& out, const call& x);
void append(std::string& out, const forget& x);
void append(std::string& out, const answer& x);
void append(std::string& out, const ask& x);

// -- decoding ---------------------------------------------------------------------

/// Cuts the first whole frame off `buffer` (type byte and payload, without the
/// length). Returns an empty view when more bytes are needed; `malformed` when
/// the length is 0 or above `bytes_max`.
expected<std::string_view> next(std::string_view& buffer);

/// A decoded job's payload points into `frame`. @returns `malformed` for an
/// unknown type or a wrong length, `unsupported` for another version.
expected<from_parent> decode_from_parent(std::string_view frame);
expected<from_child> decode_from_child(std::string_view frame);

} // namespace umbel::frame
