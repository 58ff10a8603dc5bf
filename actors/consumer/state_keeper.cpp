#include "actors/consumer/state_keeper.hpp"

#include "actors/supervision/description.hpp"

#include <caf/all.hpp>

#include <spdlog/spdlog.h>

namespace umbel {

caf::behavior state_keeper(caf::stateful_actor<state_keeper_state>* self,
                           std::shared_ptr<state_db> db) {
  return {
    [=](describe_atom) { return describe_self(self, ""); },
    [=](tasks_revoked& x) {
      if (auto saved = db->save(x.ids, x.time); !saved)
        spdlog::error("{}; what was revoked now is forgotten when this worker "
                      "ends",
                      saved.error().what);
      return std::move(x);
    },
  };
}

} // namespace umbel
