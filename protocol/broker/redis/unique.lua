-- unique.lua: takes the key of a unique task, or gives it back.
--
-- KEYS[1] "umbel.unique.<task>/<key>": the id of the task that has the key
-- ARGV[1] id of the task
-- ARGV[2] how long it may have the key, in milliseconds; "0": give it back
--
-- Returns the id of the task that has the key now; nothing if none has. A key that
-- the task has already is kept as long as it was to be.

local holder = redis.call('GET', KEYS[1])
if ARGV[2] == '0' then
  if holder == ARGV[1] then
    redis.call('DEL', KEYS[1])
    return false
  end
  return holder
end
if not holder then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return ARGV[1]
end
return holder
