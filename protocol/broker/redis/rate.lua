-- rate.lua: gives tasks their turn under rate limits that all nodes share.
--
-- KEYS[i] the limit of request i ("umbel.rate.<limit>"): "<free> <line>", when the
--         next slot may begin and when the next in line is to ask, in microseconds
--         of the server's clock
-- ARGV[1...] for each request
--   interval between two slots, in microseconds
--   how long a slot may lie ahead, in microseconds
--   "1" if the task was told to ask again before, else "0"
--
-- Returns an array: for each request the microseconds until its time has come, and
-- 1 if that is a slot of its own, 0 if it is to ask again then.
--
-- The rule is that of rate_bucket.hpp. A limit that says no more than none at all
-- expires.

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local reply = {}
for i = 1, #KEYS do
  local interval, hold = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1])
  local waited = ARGV[3 * i] == '1'
  local known = redis.pcall('GET', KEYS[i])
  local free, line = string.match(type(known) == 'string' and known or '0 0',
                                  '^(%d+) (%d+)$')
  free, line = tonumber(free or 0), tonumber(line or 0)
  local at = math.max(free, now)
  local taken = at <= now + hold and (waited or line <= at)
  if taken then
    free = at + interval
  else
    at = math.max(at, line)
    line = at + interval
  end
  local kept = redis.pcall('SET', KEYS[i],
                           string.format('%.0f %.0f', free, line), 'PX',
                           math.ceil((math.max(free, line) - now) / 1000) + 1)
  if kept.err then -- a full server: nobody may begin
    at, taken = now + math.max(interval, 1000000), false
  end
  reply[2 * i - 1] = at - now
  reply[2 * i] = taken and 1 or 0
end
return reply
