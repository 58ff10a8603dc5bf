#include "actors/consumer/state_keeper.hpp"

#include "actors/supervision/description.hpp"

#include <caf/all.hpp>

#include <spdlog/spdlog.h>

namespace umbel {

namespace {

using flush_atom = caf::atom_constant<caf::atom("flush")>;
using end_atom = caf::atom_constant<caf::atom("end")>;

} // namespace

void state_keeper_state::add(tasks_revoked x) {
  // The message to itself queues up behind all that already waits in the
  // mailbox: that shares one transaction.
  if (pending.empty())
    self->send(self, flush_atom::value);
  pending.emplace_back(std::move(x), self->make_response_promise());
}

void state_keeper_state::flush() {
  std::vector<state_db::entry> entries;
  for (auto& [revoked, promise] : pending)
    for (auto& id : revoked.ids)
      entries.emplace_back(id, revoked.time);
  if (auto saved = db->save(entries); !saved)
    spdlog::error("{}; what was revoked now is forgotten when this worker ends",
                  saved.error().what);
  for (auto& [revoked, promise] : pending)
    promise.deliver(std::move(revoked));
  pending.clear();
}

caf::behavior state_keeper(caf::stateful_actor<state_keeper_state>* self,
                           std::shared_ptr<state_db> db) {
  self->state.self = self;
  self->state.db = std::move(db);
  // Exit messages overtake others.
  self->set_exit_handler([self](caf::exit_msg& x) {
    self->send(self, end_atom::value, std::move(x.reason));
  });
  return {
    [self](tasks_revoked& x) { self->state.add(std::move(x)); },
    [self](flush_atom) { self->state.flush(); },
    [self](describe_atom) {
      return describe_self(self,
                           std::to_string(self->state.pending.size())
                             + " messages to save");
    },
    [self](end_atom, caf::error& reason) { self->quit(std::move(reason)); },
  };
}

} // namespace umbel
