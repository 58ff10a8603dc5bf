// Carries out signatures: turns them into messages, and into what the result
// store must know of their groups. Celery's `Signature.apply_async`.
//
//  1. Every task gets its id, and knows the chord and the group that it is a
//     part of (Celery: freeze).
//  2. A task is a message. It takes the chain along that is to follow it.
//  3. A chain is its first task; a group all its tasks; a chord the tasks of its
//     header, which carry its body. Where the result store does not count them,
//     celery.chord_unlock goes with them, and looks when they have ended.
//
// Where Celery's own rules lose something, these do not: the id of a map in a
// chain is kept, a group within a chord's header does not change its size.
#pragma once

#include "protocol/backend/chord_counting.hpp"
#include "protocol/backend/workflow.hpp"
#include "protocol/broker/broker.hpp"
#include "protocol/canvas/routing.hpp"
#include "protocol/canvas/signature.hpp"
#include "protocol/message/task_message.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace umbel::canvas {

/// Who applies, and what a message says where its signature says nothing.
struct origin {
  std::string parent_id; ///< the task that this follows from; empty: none
  std::string root_id;   ///< empty: each task is the root of what follows it
  std::string node;      ///< "celery@host"; empty: a client
  std::string reply_to;  ///< empty: what the signature says
  const umbel::routing* routing = nullptr; ///< null: Celery's defaults
  std::optional<int> priority; ///< of the task that this follows from
  body_form form;
  bool plain = false; ///< bodies as plain JSON text (`task_call::plain`)
  chord_counting chords = chord_counting::counted;
  /// Adds to each call what is known of its task; not to bodies of chords.
  std::function<void(task_call&)> complete;
};

/// What is to be published, and what is to be stored before.
struct application {
  /// Why a part of it cannot be sent: its queue is not known. The messages of the
  /// others are there.
  std::optional<error> failure;
  std::vector<outgoing_message> publish;
  std::vector<group_record> groups;
  json::array children; ///< result tuples of what was applied
  /// A chord is among it, and `origin::chords` says that it is impossible: nothing of
  /// this may be carried out.
  bool impossible = false;
};

/// Adds what `from` has. @pre it has no failure
void append(application& to, application from);

class applier {
public:
  /// @pre both outlive it
  applier(application& to, const origin& from) : to_(to), from_(from) {
  }

  /// @param first partial arguments, which come before the signature's own
  ///              unless it is immutable
  /// @param chain what is to follow, in reverse order (`embed.chain`), or null
  /// @returns Celery's result tuple: `[[id, parent], children]`, of a chain that
  ///          of its last step
  json::value apply(signature x, const json::array& first = {},
                    const json::array* chain = nullptr);

  /// The same, frozen already.
  void apply_frozen(signature x, const json::array& first = {},
                    const json::array* chain = nullptr) {
    carry_out(std::move(x), first, chain);
  }

  /// celery.chord_unlock for a chord that nobody counts, or not all of.
  /// @param results the tuples of its header: a list
  void apply_unlock(const std::string& group, const signature& body,
                    json::value results);

private:
  void carry_out(signature x, const json::array& first,
                 const json::array* chain);
  void apply_task(const signature& x, const json::array& first,
                  const json::array* chain);
  void apply_chain(signature x, const json::array& first,
                   const json::array* chain);
  void apply_group(const signature& x, const json::array& first,
                   const json::array* chain);
  void apply_chord(signature x, const json::array& first,
                   const json::array* chain);

  application& to_;
  const origin& from_;
};

/// What a frozen signature takes part in.
struct membership {
  std::string group;
  json::value chord; ///< its body; null: none
  std::optional<int64_t> index;
};

/// Gives ids where there are none, and tells the task whose end is the
/// signature's (of a chain the last one, of a chord its body) of its group.
/// Chunks become the group of starmaps that they are, a chain within a chain is
/// spliced into it, and a group with something after it becomes a chord.
/// @returns Celery's result tuple
json::value freeze(signature& x, const membership& in = {});

/// What a signature takes over from a task that it takes the place of.
struct succession {
  std::string id; ///< of its result
  canvas::membership part_of;
  json::array link;
  json::array link_error;
  int64_t nesting = 1; ///< how often the task was replaced
};

/// Gives it all of that: to the task whose end is the signature's, and errbacks to
/// each task. @pre it is no group
void succeed(signature& x, const succession& of);

/// How many parts of a chord this counts for.
size_t count_parts(const signature& x);

} // namespace umbel::canvas
