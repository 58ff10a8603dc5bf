// The Lua scripts of this folder, embedded by the build. What each takes and
// returns stands at the top of its file.
#pragma once

#include "protocol/broker/redis/connection.hpp"

namespace umbel::redis::scripts {

extern const script reserve;     ///< reserve.lua
extern const script settle;      ///< settle.lua
extern const script renew;       ///< renew.lua
extern const script stale;       ///< stale.lua
extern const script restore;     ///< restore.lua
extern const script dead_owners; ///< dead_owners.lua
extern const script forward;     ///< forward.lua
extern const script rate;        ///< rate.lua
extern const script end_fanout;  ///< end_fanout.lua
extern const script take_dead;   ///< take_dead.lua
extern const script publish_once; ///< publish_once.lua
extern const script claim;       ///< claim.lua
extern const script supersede;   ///< supersede.lua

} // namespace umbel::redis::scripts
