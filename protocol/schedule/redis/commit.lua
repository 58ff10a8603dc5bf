-- commit.lua: publishes periodic tasks and notes that they are sent, in one step.
--
-- KEYS[1] lease ("umbel.beat.lease")
-- KEYS[2] hash of entries ("umbel.beat.entries")
-- KEYS[3] hash of their runs ("umbel.beat.runs")
-- ARGV[1] the lease as this beat holds it: the fence
-- ARGV[2] number of messages
-- ARGV[3...] for each message its place (place.lua) and its payload; then name and
--            runs of each entry, alternating
--
-- Returns 1, or 0 if this beat does not lead any more: nothing has happened then.
-- Runs of an entry that a command has removed are dropped.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
local runs = 3 + 2 * tonumber(ARGV[2])
for i = 3, runs - 2, 2 do
  put(redis.call, 'LPUSH', ARGV[i], ARGV[i + 1])
end
for i = runs, #ARGV, 2 do
  if redis.call('HEXISTS', KEYS[2], ARGV[i]) == 1 then
    redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 1])
  end
end
return 1
