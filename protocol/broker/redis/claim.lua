-- claim.lua: takes the keys of unique tasks.
--
-- KEYS[...] "umbel.unique.<task>/<key>": the id of the task that has the key
-- ARGV[...] for each of them the id of the task that wants it, and how long it may
--           have it, in milliseconds
--
-- Returns the ids of the tasks that have them now. A key that the task has already is
-- kept as long as it was to be.
--
-- What cannot be asked or noted (a key of another type, a server without memory) holds
-- up nobody: the task counts as having its key.

local holders = {}
for i = 1, #KEYS do
  local id = ARGV[2 * i - 1]
  local holder = redis.pcall('GET', KEYS[i])
  if not holder then
    redis.pcall('SET', KEYS[i], id, 'PX', ARGV[2 * i])
    holder = id
  elseif type(holder) ~= 'string' then
    holder = id
  end
  holders[i] = holder
end
return holders
