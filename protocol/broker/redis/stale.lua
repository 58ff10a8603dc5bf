-- stale.lua: shows entries of the ledger that are older than the visibility
-- timeout. They stay where they are: restore.lua moves them.
--
-- KEYS[1] hash of unacknowledged messages ("unacked")
-- KEYS[2] its index by time ("unacked_index")
-- KEYS[3] delayed messages by the time when they are due ("umbel.delayed")
-- ARGV[1] visibility timeout in seconds
-- ARGV[2] how many at most
--
-- Returns an array: the cutoff (time of the server less the visibility
-- timeout), then tag and entry, alternating, newest first. A tag in the index
-- that has no entry is removed, and left out. So is a delayed message, which is
-- forward.lua's business; if it is not known to that, it is from now on.

local now = redis.call('TIME')
local cutoff = tonumber(now[1]) + tonumber(now[2]) / 1000000 - tonumber(ARGV[1])
cutoff = string.format('%.6f', cutoff)
local reply = {cutoff}
local tags = redis.call('ZREVRANGEBYSCORE', KEYS[2], cutoff, '-inf', 'LIMIT', 0,
                        ARGV[2])
if #tags == 0 then
  return reply
end
local entries = redis.call('HMGET', KEYS[1], unpack(tags))
for i = 1, #tags do
  if entries[i] and string.sub(tags[i], 1, 14) == 'umbel.delayed/' then
    redis.pcall('ZADD', KEYS[3], 'NX', '0', tags[i]) -- a full server refuses
  elseif entries[i] then
    reply[#reply + 1] = tags[i]
    reply[#reply + 1] = entries[i]
  else
    redis.call('ZREM', KEYS[2], tags[i])
  end
end
return reply
