-- change.lua: what an operator's command does to one entry.
--
-- KEYS[1] hash of entries ("umbel.beat.entries")
-- KEYS[2] hash of their runs ("umbel.beat.runs")
-- KEYS[3] hash of requests to run ("umbel.beat.requests")
-- KEYS[4] set of changed entries, which the leader reads ("umbel.beat.changed")
-- ARGV[1] "add", "replace" or "any": write it, if there is none, if there is one, or
--         in any case; "remove"; "run"
-- ARGV[2] name
-- ARGV[3] the entry, to be written
--
-- Returns 1, or 0 if nothing was done.
local how, name = ARGV[1], ARGV[2]
local there = redis.call('HEXISTS', KEYS[1], name) == 1
if (how == 'add' and there) or (how ~= 'add' and how ~= 'any' and not there) then
  return 0
end
if how == 'run' then
  redis.call('HINCRBY', KEYS[3], name, 1)
elseif how == 'remove' then
  redis.call('HDEL', KEYS[1], name)
  redis.call('HDEL', KEYS[2], name)
  redis.call('HDEL', KEYS[3], name)
else
  redis.call('HSET', KEYS[1], name, ARGV[3])
end
redis.call('SADD', KEYS[4], name)
return 1
