-- forward.lua: puts delayed messages that are due back on their queues, and says
-- when to look again.
--
-- KEYS[1] hash of unacknowledged messages ("unacked")
-- KEYS[2] its index by time ("unacked_index")
-- KEYS[3] delayed messages by the time when they are due ("umbel.delayed")
-- KEYS[4] the node that looks when the next one is due ("umbel.forwarder")
-- ARGV[1] node
-- ARGV[2] how many at most
-- ARGV[3] longest time between two looks, in milliseconds
-- ARGV[4] how long a node is believed to be there, in milliseconds
-- ARGV[5] prefix of all keys
-- ARGV[6] separator before the priority step in names of lists
-- ARGV[7] prefix of dead-letter lists ("umbel.dead.")
-- ARGV[8] length bound of a dead-letter list
--
-- Returns an array: how many were put back, and in how many milliseconds to look
-- again. Whoever calls puts back what is due; but of those who do as they are told
-- only one, the holder of KEYS[4], comes when the next one is due. It comes twice
-- before its claim expires; when it does not, the others are there.
--
-- O(log n) for n delayed messages; one command if there are none.

local delayed, longest = KEYS[3], tonumber(ARGV[3])
local first = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
if #first == 0 then
  return {0, longest}
end

local now = redis.call('TIME')
now = tonumber(now[1]) + tonumber(now[2]) / 1000000
local forwarded = 0

-- The list and the message of an entry: settle.lua has written the step into the
-- tag, and reserve.lua the queue at the end of the entry.
local function parts(tag, entry)
  local priority_step = string.match(tag, '^umbel%.delayed/(%d+)/')
  local message, queue = string.match(entry, '^%[(.*), "", (".-")%]$')
  local read, name = pcall(cjson.decode, '[' .. (queue or '') .. ']')
  if not priority_step or not queue or not read then
    return ARGV[7] .. 'unacked', entry, 'D'
  end
  local list = ARGV[5] .. name[1]
  if priority_step ~= '0' then
    list = list .. ARGV[6] .. priority_step
  end
  return list, message, 'B'
end

if tonumber(first[2]) <= now then
  local tags = redis.call('ZRANGEBYSCORE', delayed, '-inf',
                          string.format('%.6f', now), 'LIMIT', 0, ARGV[2])
  local entries = redis.call('HMGET', KEYS[1], unpack(tags))
  redis.call('HDEL', KEYS[1], unpack(tags))
  redis.pcall('ZREM', KEYS[2], unpack(tags))
  redis.call('ZREM', delayed, unpack(tags))
  for i = #tags, 1, -1 do
    if entries[i] then -- or else a Python peer has restored it
      local list, message, letter = parts(tags[i], entries[i])
      step(letter, list, message, ARGV[7], tonumber(ARGV[8]))
      forwarded = forwarded + 1
    end
  end
  first = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
  if #first == 0 then
    return {forwarded, longest}
  end
end

local wait = math.ceil((tonumber(first[2]) - now) * 1000)
if wait <= 0 or wait >= longest then
  return {forwarded, math.max(0, math.min(wait, longest))}
end
local holder = redis.call('GET', KEYS[4])
if holder and holder ~= ARGV[1] then
  local left = redis.call('PTTL', KEYS[4])
  return {forwarded, left < 0 and longest or math.min(left + 1, longest)}
end
redis.pcall('SET', KEYS[4], ARGV[1], 'PX', ARGV[4])
return {forwarded, math.min(wait, math.floor(tonumber(ARGV[4]) / 2))}
