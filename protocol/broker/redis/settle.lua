-- settle.lua: carries out settlements, each only if its tag is still in the
-- ledger.
--
-- KEYS[1] hash of unacknowledged messages ("unacked")
-- KEYS[2] its index by time ("unacked_index")
-- KEYS[3] delayed messages by the time when they are due ("umbel.delayed")
-- ARGV[1] expiry of results in seconds, "0": never
-- ARGV[2] prefix of the marks of what was settled without a ledger entry
--         ("umbel.settled.")
-- ARGV[3] prefix of dead-letter lists ("umbel.dead.")
-- ARGV[4] length bound of a dead-letter list
-- ARGV[5] visibility timeout in seconds
-- ARGV[6] the caller's time, in seconds
-- ARGV[7] number of settlements
-- ARGV[8...] for each settlement
--   tag
--   steps: its fence, then a letter for each step, in order. Fences:
--     f  the tag must be in the ledger, and is removed from it
--     n  none
--     o  once: none, but nothing happens if the tag was settled with `o` before
--   Steps are those of deliver.lua, and
--     R  store a result
--     U  give back the key of a unique task, if it has it
--     V  store what is known of a group (before P)
--     J  one more task belongs to a chord's header (chord.lua; before C)
--     C  count a part of a chord (chord.lua; after R)
--     M  let the message come back in another form (before Z)
--     N  change the ledger entry, if it is there (with fence n or o)
--     Z  keep the message in the ledger until it is due (with fence f)
--   two values for each step: P, B: place, message; D: list, dead letter;
--     R: key, document; U: key, id; V: key, text; J: the group's key, the task's id;
--     C: the group's key, the part as JSON; M, N: ledger entry, nothing;
--     Z: priority step, time
--
-- A delayed message gets a tag that is nobody's, umbel.delayed/<step>/<old tag>,
-- so that no lease and no owner's end concerns it. Its time in the index is so far
-- from the due time that Python peers take it for abandoned when it is due, and
-- restore it if no Umbel node is left to do so.
--
-- Returns a string with a character for each settlement: "1" it took effect,
-- "0" the fence did not hold.
--
-- Nothing can fail half-way: removing from the ledger needs no memory, and
-- after a script's first write Redis no longer refuses it any. So an error
-- means that nothing was done.

local settled = ARGV[2]
local parked, parked_max = ARGV[3], tonumber(ARGV[4])
local visibility, callers_time = tonumber(ARGV[5]), tonumber(ARGV[6])
local byte, sub = string.byte, string.sub
local FENCED, ONCE, RESULT = byte('f'), byte('o'), byte('R')
local MESSAGE, DELAY, NOTE = byte('M'), byte('Z'), byte('N')
local VALUE, PART, JOINED = byte('V'), byte('C'), byte('J')
local UNIQUE = byte('U')

-- Not before half of what is left by the caller's clock, or a second, has passed:
-- one whose clock is behind would otherwise get it back at once, again and again.
local function delay(tag, priority_step, due)
  local now = redis.call('TIME')
  now = tonumber(now[1]) + tonumber(now[2]) / 1000000
  due = tonumber(due)
  local left = due - callers_time
  if left > 0 then
    due = math.max(due, now + math.min(left / 2, 1))
  end
  local new = 'umbel.delayed/' .. priority_step .. '/' .. tag
  redis.pcall('HSET', unacked, new, entries[tag])
  redis.pcall('ZADD', index, string.format('%.6f', due - visibility), new)
  redis.pcall('ZADD', KEYS[3], string.format('%.6f', due), new)
end

local function publish(list, text)
  step('P', list, text, parked, parked_max)
end

local effects = {}
at = 8
for i = 1, count do
  local tag, steps = ARGV[at], ARGV[at + 1]
  local fence, held = byte(steps), true
  if fence == FENCED then
    if lost then
      held = not lost[tag]
      lost[tag] = true -- the same tag twice: only the first holds
    end
  elseif fence == ONCE then
    held = redis.call('SET', settled .. tag, '1', 'EX', 3600, 'NX')
  end
  if held then
    local value = at + 2
    for j = 2, #steps do
      if byte(steps, j) == RESULT then
        store_result(ARGV[value], ARGV[value + 1], expires)
      elseif byte(steps, j) == UNIQUE then
        if redis.pcall('GET', ARGV[value]) == ARGV[value + 1] then
          redis.call('DEL', ARGV[value])
        end
      elseif byte(steps, j) == VALUE then
        redis.pcall('SET', ARGV[value], ARGV[value + 1])
        if expires ~= '0' then
          redis.pcall('EXPIRE', ARGV[value], expires)
        end
      elseif byte(steps, j) == JOINED then
        join_chord(ARGV[value], ARGV[value + 1], expires)
      elseif byte(steps, j) == PART then
        -- Keys of other types, which are nobody's chord, must not hold up the
        -- rest.
        pcall(count_part, ARGV[value], cjson.decode(ARGV[value + 1]), expires,
              publish)
      elseif byte(steps, j) == MESSAGE then
        entries[tag] = ARGV[value]
      elseif byte(steps, j) == DELAY then
        delay(tag, ARGV[value], ARGV[value + 1])
      elseif byte(steps, j) == NOTE then
        if redis.call('HEXISTS', unacked, tag) == 1 then
          redis.pcall('HSET', unacked, tag, ARGV[value])
        end
      else
        step(sub(steps, j, j), ARGV[value], ARGV[value + 1], parked, parked_max)
      end
      value = value + 2
    end
  end
  effects[i] = held and '1' or '0'
  at = at + 2 * #steps
end
return table.concat(effects)
