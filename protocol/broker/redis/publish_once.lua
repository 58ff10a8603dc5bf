-- publish_once.lua: publishes a message unless its task is there already.
--
-- KEYS[1] "umbel.unique.<task>/<key>": the id of the task that has the key
-- KEYS[2] "umbel.published.<id>": this task was published
-- ARGV[1] message
-- ARGV[2] id of its task
-- ARGV[3] how long it may have the key, in milliseconds; "0": it is not unique
-- ARGV[4] how long it is published once, in milliseconds; "0": as often as it comes
-- ARGV[5...] the places that it goes to (place.lua): several if it goes through an
--         exchange, or none
--
-- Returns the id of the task that has the key, if that is another one: then nothing
-- was done. Else an empty string: it was published, now or before; or nobody was
-- there to get it, and then it has neither key nor mark.

local held_for, once = tonumber(ARGV[3]), tonumber(ARGV[4])
if once > 0 and redis.call('EXISTS', KEYS[2]) == 1 then
  return ''
end
if held_for > 0 then
  local holder = redis.call('GET', KEYS[1])
  if holder and holder ~= ARGV[2] then
    return holder
  end
end
-- First what can fail: a queue that is no list, a server without memory.
local got = 0
for i = 5, #ARGV do
  got = got + put(redis.call, 'LPUSH', ARGV[i], ARGV[1])
end
if got == 0 then
  return ''
end
if held_for > 0 then
  redis.call('SET', KEYS[1], ARGV[2], 'PX', held_for)
end
if once > 0 then
  redis.call('SET', KEYS[2], '1', 'PX', once)
end
return ''
