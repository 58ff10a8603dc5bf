-- restore.lua: takes abandoned entries out of the ledger and puts them back on
-- their queues.
--
-- KEYS[1] hash of unacknowledged messages ("unacked")
-- KEYS[2] its index by time ("unacked_index")
-- ARGV[1] condition: "stale": the entry's time is not after ARGV[2], a time;
--         "dead": there is no key ARGV[2], the lease of the entries' owner
-- ARGV[2] see ARGV[1]
-- ARGV[3] prefix of dead-letter lists ("umbel.dead.")
-- ARGV[4] length bound of a dead-letter list
-- ARGV[5...] for each entry
--   tag
--   steps: a letter for each step, those of deliver.lua
--   two values for each step: list, message
--
-- Returns how many entries were restored. An entry that was settled, restored
-- or renewed in the meantime is left alone.

local stale = ARGV[1] == 'stale'
if not stale and redis.call('EXISTS', ARGV[2]) == 1 then
  return 0
end
local cutoff = stale and tonumber(ARGV[2])
local parked, parked_max = ARGV[3], tonumber(ARGV[4])

local function abandoned(tag)
  if not stale then
    return true
  end
  local score = redis.call('ZSCORE', KEYS[2], tag)
  return score and tonumber(score) <= cutoff
end

local restored, at = 0, 5
while at <= #ARGV do
  local tag, steps = ARGV[at], ARGV[at + 1]
  if abandoned(tag) and redis.call('HDEL', KEYS[1], tag) == 1 then
    redis.call('ZREM', KEYS[2], tag)
    for i = 1, #steps do
      local value = at + 2 * i
      step(string.sub(steps, i, i), ARGV[value], ARGV[value + 1], parked,
           parked_max)
    end
    restored = restored + 1
  end
  at = at + 2 + 2 * #steps
end
return restored
