-- commit.lua: publishes periodic tasks and notes that they are sent, in one step.
--
-- KEYS[1] lease ("umbel.beat.lease")
-- KEYS[2] hash of entries ("umbel.beat.entries")
-- KEYS[3] hash of their runs ("umbel.beat.runs")
-- KEYS[4...] the list of each message, in the order of the messages
-- ARGV[1] the lease as this beat holds it: the fence
-- ARGV[2...] for each list a payload; then name and runs of each entry, alternating
--
-- Returns 1, or 0 if this beat does not lead any more: nothing has happened then.
-- Runs of an entry that a command has removed are dropped.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
local messages = #KEYS - 3
for i = 1, messages do
  redis.call('LPUSH', KEYS[i + 3], ARGV[i + 1])
end
for i = messages + 2, #ARGV, 2 do
  if redis.call('HEXISTS', KEYS[2], ARGV[i]) == 1 then
    redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 1])
  end
end
return 1
