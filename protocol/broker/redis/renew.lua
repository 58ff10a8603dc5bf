-- renew.lua: says that this incarnation lives, and works on these messages.
--
-- KEYS[1] lease of this incarnation ("umbel.lease.<incarnation>")
-- KEYS[2] hash of incarnations ("umbel.incarnations")
-- KEYS[3] index of unacknowledged messages by time ("unacked_index")
-- ARGV[1] incarnation
-- ARGV[2] node
-- ARGV[3] expiry of the lease in milliseconds
-- ARGV[4...] tags in flight, at most 1000
--
-- Returns 0: the lease was held; 1: it had ended, but nobody has dealt with all
-- that it covered; 2: it had ended and somebody has, or there never was one.
-- Tags that are not in the index any more are not put back into it.

-- A server without memory refuses SET, unless the script has written before;
-- PEXPIRE it never refuses. A lease must not lapse because memory is full.
local held = redis.call('PEXPIRE', KEYS[1], ARGV[3]) == 1
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
local new = redis.call('HSET', KEYS[2], ARGV[1], ARGV[2]) == 1
local now = redis.call('TIME')
now = string.format('%s.%06d', now[1], now[2])
local values = {}
for i = 4, #ARGV do
  values[#values + 1] = now
  values[#values + 1] = ARGV[i]
end
if #values > 0 then
  redis.call('ZADD', KEYS[3], 'XX', unpack(values))
end
if held then
  return 0
end
return new and 2 or 1
