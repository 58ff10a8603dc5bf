-- ledger.lua: the first part of settle.lua, put before the others by the build.
--
-- Takes the settled tags out of the ledger, in one command for all, and carries out
-- the settlements that store a result at most, which nearly all do: if the script is
-- through with that, it does not make the functions of the other parts, which would
-- take as long. KEYS and ARGV: see settle.lua.

local unacked, index = KEYS[1], KEYS[2]
local expires = ARGV[1]
local count = tonumber(ARGV[7])

local fenced = {} -- tags
local delayed     -- tags; nil: none
local work = false -- there is more to do than to store results
local at = 8
for _ = 1, count do
  local steps = ARGV[at + 1]
  if steps == 'f' or steps == 'fR' then
    fenced[#fenced + 1] = ARGV[at]
  elseif steps ~= 'nR' then
    work = true
    if string.sub(steps, 1, 1) == 'f' then
      fenced[#fenced + 1] = ARGV[at]
    end
    if string.sub(steps, -1) == 'Z' then
      delayed = delayed or {}
      delayed[#delayed + 1] = ARGV[at]
    end
  end
  at = at + 2 * #steps
end

local entries = {} -- of what is delayed, by tag
if delayed then
  local found = redis.call('HMGET', unacked, unpack(delayed))
  for i = 1, #delayed do
    entries[delayed[i]] = found[i]
  end
end

local lost -- tags whose fence did not hold; nil: none
if #fenced > 0 then
  if redis.call('HDEL', unacked, unpack(fenced)) ~= #fenced then
    -- Which ones? Hash and index are always written together, so the index,
    -- still as it was, knows.
    lost = {}
    local scores = redis.call('ZMSCORE', index, unpack(fenced))
    for i = 1, #fenced do
      lost[fenced[i]] = not scores[i]
    end
  end
  redis.pcall('ZREM', index, unpack(fenced))
end

if not lost and not work then
  at = 8
  for _ = 1, count do
    local steps = ARGV[at + 1]
    if steps ~= 'f' then
      store_result(ARGV[at + 2], ARGV[at + 3], expires)
    end
    at = at + 2 * #steps
  end
  return string.rep('1', count)
end
