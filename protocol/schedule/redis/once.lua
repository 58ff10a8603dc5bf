-- once.lua: publishes periodic tasks that have not been published before.
--
-- KEYS[1] hash of what has been ("umbel.beat.sent.<identity of the schedule>"):
--         entry -> its last due time, "#entry" -> the last request to run it
-- ARGV[1] expiry of the hash in seconds, from now on
-- ARGV[2...] for each message entry, number, place (place.lua) and payload. Numbers
--            grow: what is not above the one that is stored has been published
--
-- Returns how many were published now.
local published = 0
for at = 2, #ARGV, 4 do
  local known = redis.call('HGET', KEYS[1], ARGV[at])
  if not known or tonumber(known) < tonumber(ARGV[at + 1]) then
    put(redis.call, 'LPUSH', ARGV[at + 2], ARGV[at + 3])
    redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 1])
    published = published + 1
  end
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
return published
