-- reserve.lua: moves messages from queues into the ledger, under fresh tags.
--
-- KEYS  the lists of all consumed queues: for each priority step, urgent first,
--       one list for each queue, in the same order of queues at every step.
--       Nothing else, because before Redis 7.2 CLIENT TRACKING remembers the
--       declared keys of a script, not those that it reads. Without the first
--       one if that is in ARGV[14].
-- ARGV[1]  hash of unacknowledged messages ("unacked")
-- ARGV[2]  its index by time ("unacked_index")
-- ARGV[3]  lease of this incarnation ("umbel.lease.<incarnation>")
-- ARGV[4]  hash of incarnations ("umbel.incarnations")
-- ARGV[5]  incarnation
-- ARGV[6]  node
-- ARGV[7]  expiry of the lease in milliseconds
-- ARGV[8]  prefix of tags ("<node>/<incarnation>/")
-- ARGV[9]  sequence number of the first new tag
-- ARGV[10] how many messages at most
-- ARGV[11] queue to begin with, 0-based: for round robin between calls
-- ARGV[12] number of queues
-- ARGV[13] a sum: 1: first look for entries under tags from ARGV[9] on, which a
--          predecessor of this connection reserved without reading the reply;
--          2: without the lease, which another connection keeps, return an error
-- ARGV[14] the first queue's most urgent list, if the caller waits for that with
--          BLMOVE: no push to it has to be announced; else empty
-- ARGV[15] which connection of this incarnation reserves ("umbel.reader.<incarnation>")
-- ARGV[16] the caller's own name there: if it is another's by now, an error is
--          returned. A server may find a call long after its connection was given up
--          for lost, and the tags from ARGV[9] on are the successor's then. Empty: not
--          asked
-- ARGV[17...] for each queue the end of its ledger entries: ', "", "<queue>"]',
--          so that '[' .. payload .. end is what Python peers write
--
-- Returns an array: how many elements follow of what the predecessor left; those,
-- offset (from ARGV[9]) and ledger entry alternating; then for each list from which
-- something was taken its index, how many payloads follow, and those. (Arrays
-- within it would cost as much as a command each.) New tags are numbered in the
-- order of the reply, from after the predecessor's last one.
--
-- When it finds fewer than it may take it asks whether the lists exist, so that
-- CLIENT TRACKING announces the next push to any of them: who asked may wait at
-- once.
--
-- A message is in its list or in the ledger at any time. Where a list is of the
-- wrong type, the others are served first; where the ledger is, everything is
-- put back, and the error is returned.

local unacked, index = ARGV[1], ARGV[2]
local prefix, first, left = ARGV[8], tonumber(ARGV[9]), tonumber(ARGV[10])
local start, queues = tonumber(ARGV[11]), tonumber(ARGV[12])
local chunk = 1000 -- unpack() fails beyond about 8000 values

local lists = KEYS
if ARGV[14] ~= '' then
  lists = {ARGV[14]}
  for i = 1, #KEYS do
    lists[i + 1] = KEYS[i]
  end
end

-- Asks whether the lists of KEYS are there, by which pushes to them are announced.
local function have_pushes_announced()
  local there = 0
  for i = 1, #KEYS, chunk do
    local found = redis.pcall('EXISTS', unpack(KEYS, i, math.min(i + chunk - 1, #KEYS)))
    there = there + (tonumber(found) or 1)
  end
  return there > 0
end

local now = redis.call('TIME')
now = string.format('%s.%06d', now[1], now[2])

local reply = {0}
local groups = {} -- of payloads taken, each after the index of its list
local flags = tonumber(ARGV[13])
-- Not EXISTS: a command that only reads would make Redis before 7.2 remember KEYS for
-- CLIENT TRACKING, and announce to this very worker what it takes from them itself.
if flags >= 2 and not redis.call('GETEX', ARGV[3]) then
  return redis.error_reply('LEASE the lease has ended')
end
if ARGV[16] ~= '' and redis.call('GETEX', ARGV[15], 'EX', 3600) ~= ARGV[16] then
  return redis.error_reply('SUPERSEDED another connection reserves now')
end
if flags % 2 == 1 then
  local offset, found = 0, true
  while found do
    local tags = {}
    for i = 1, 64 do
      tags[i] = prefix .. (first + offset + i - 1)
    end
    found = false
    local entries = redis.call('HMGET', unacked, unpack(tags))
    for i = 1, 64 do
      if entries[i] then
        found = true
        reply[#reply + 1] = offset + i - 1
        reply[#reply + 1] = entries[i]
        redis.pcall('ZADD', index, 'XX', now, tags[i])
        left = left - 1
      end
    end
    offset = offset + 64
  end
  reply[1] = #reply - 1
  if #reply > 1 then
    first = first + reply[#reply - 1] + 1
  end
end

local no_list -- the error of a key that is none
local function pop(list, count, into) -- by its index
  local taken = redis.pcall('RPOP', lists[list], count)
  if not taken or taken.err then
    no_list = no_list or taken
    return into, 0
  end
  left = left - #taken
  if not into then
    into = {list}
    groups[#groups + 1] = into
  end
  for i = 1, #taken do
    into[#into + 1] = taken[i]
  end
  return into, #taken
end

local function serve(step)
  local full = {}
  for i = 0, queues - 1 do
    if left <= 0 then
      return
    end
    -- An even share for every queue that is still to come.
    local share = math.ceil(left / (queues - i))
    local queue = (start + i) % queues
    local taken, count = pop(step * queues + queue + 1, share)
    if count == share then
      full[#full + 1] = taken
    end
  end
  for i = 1, #full do
    if left > 0 then
      pop(full[i][1], left, full[i])
    end
  end
end

-- One message on the list that is waited for, and nothing anywhere else, is what
-- an idle worker meets most: two commands find it.
local announced = ARGV[14] ~= '' and left > 0 and not have_pushes_announced()
if announced then
  pop(1, left)
else
  for step = 0, #lists / queues - 1 do
    if left <= 0 then
      break
    end
    serve(step)
  end
end

if #groups == 0 then
  if not announced then
    have_pushes_announced()
  end
  if no_list and #reply == 1 then -- nothing is lost by saying so
    return no_list
  end
  return reply
end

-- What is reserved must belong to somebody whose death can be seen. (Not before
-- RPOP: a server without memory refuses SET unless the script has written.)
if flags < 2 and redis.call('SET', ARGV[3], ARGV[6], 'PX', ARGV[7], 'NX') then
  redis.pcall('HSET', ARGV[4], ARGV[5], ARGV[6])
end

local fields, scores, n, sequence, size = {}, {}, 0, first, #reply
local trouble

-- Redis keeps a small sorted set as one packed list, where inserting a score
-- that is no whole number means to parse the scores of all that are there: five
-- microseconds for each message of a batch, more than all the rest together. A
-- member of more than 64 bytes (zset-max-listpack-value) makes it a skip list,
-- which it then remains.
local unpacked = '-----------------------------------------------------------------'

local function record()
  if n == 0 or trouble then
    return
  end
  local done = redis.pcall('HSET', unacked, unpack(fields, 1, n))
  if type(done) == 'number' then
    if n > 16 then
      done = redis.pcall('ZADD', index, now, unpacked, unpack(scores, 1, n))
      redis.pcall('ZREM', index, unpacked)
    else
      done = redis.pcall('ZADD', index, unpack(scores, 1, n))
    end
  end
  if type(done) ~= 'number' then
    trouble = done
  end
  n = 0
end

for i = 1, #groups do
  local taken = groups[i]
  local ending = ARGV[17 + (taken[1] - 1) % queues]
  reply[size + 1], reply[size + 2] = taken[1], #taken - 1
  size = size + 2
  for j = 2, #taken do
    local tag, payload = prefix .. sequence, taken[j]
    sequence = sequence + 1
    size = size + 1
    reply[size] = payload
    fields[n + 1], fields[n + 2] = tag, '[' .. payload .. ending
    scores[n + 1], scores[n + 2] = now, tag
    n = n + 2
    if n >= chunk then
      record()
    end
  end
end
record()

if trouble then
  for i = #groups, 1, -1 do
    local taken = groups[i]
    for j = #taken, 2, -1 do
      redis.call('RPUSH', lists[taken[1]], taken[j])
    end
  end
  for i = first, sequence - 1 do
    redis.pcall('HDEL', unacked, prefix .. i)
    redis.pcall('ZREM', index, prefix .. i)
  end
  return trouble
end
if left > 0 and not announced then
  have_pushes_announced()
end
return reply
