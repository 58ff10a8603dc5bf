-- publish_once.lua: publishes a message unless its task is there already.
--
-- KEYS[1] list of its queue and priority
-- KEYS[2] "umbel.unique.<task>/<key>": the id of the task that has the key
-- KEYS[3] "umbel.published.<id>": this task was published
-- ARGV[1] message
-- ARGV[2] id of its task
-- ARGV[3] how long it may have the key, in milliseconds; "0": it is not unique
-- ARGV[4] how long it is published once, in milliseconds; "0": as often as it comes
--
-- Returns the id of the task that has the key, if that is another one: then nothing
-- was done. Else an empty string: it was published, now or before.

local held_for, once = tonumber(ARGV[3]), tonumber(ARGV[4])
if once > 0 and redis.call('EXISTS', KEYS[3]) == 1 then
  return ''
end
if held_for > 0 then
  local holder = redis.call('GET', KEYS[2])
  if holder and holder ~= ARGV[2] then
    return holder
  end
end
-- First what can fail: a queue that is no list, a server without memory.
redis.call('LPUSH', KEYS[1], ARGV[1])
if held_for > 0 then
  redis.call('SET', KEYS[2], ARGV[2], 'PX', held_for)
end
if once > 0 then
  redis.call('SET', KEYS[3], '1', 'PX', once)
end
return ''
