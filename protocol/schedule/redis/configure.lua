-- configure.lua: writes the entries of a leader's configuration.
--
-- KEYS[1] lease ("umbel.beat.lease")
-- KEYS[2] hash of entries ("umbel.beat.entries")
-- KEYS[3] hash of their runs ("umbel.beat.runs")
-- KEYS[4] hash of requests to run ("umbel.beat.requests")
-- KEYS[5] hash of what concerns the schedule as a whole ("umbel.beat.schedule")
-- KEYS[6] set of entries that commands have changed ("umbel.beat.changed")
-- ARGV[1] the lease as this beat holds it: the fence
-- ARGV[2] time zone
-- ARGV[3] how many entries are written
-- ARGV[4...] for each of them name, definition, and what is stored if there is none
--            yet; then the names of those to delete
--
-- Returns 1, or 0 if this beat does not lead any more. What a command has written
-- of an entry meanwhile (that it is disabled, for instance) stays: only its
-- definition is replaced, and not if it is a live one by now.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('HSET', KEYS[5], 'zone', ARGV[2])
local last = 3 + 3 * tonumber(ARGV[3])
for i = 4, last, 3 do
  local name = ARGV[i]
  local known = redis.call('HGET', KEYS[2], name)
  if not known then
    redis.call('HSET', KEYS[2], name, ARGV[i + 2])
  else
    local entry = cjson.decode(known)
    if entry.live then
      redis.call('SADD', KEYS[6], name)
    else
      entry.definition = ARGV[i + 1]
      redis.call('HSET', KEYS[2], name, cjson.encode(entry))
    end
  end
end
for i = last + 1, #ARGV do
  redis.call('HDEL', KEYS[2], ARGV[i])
  redis.call('HDEL', KEYS[3], ARGV[i])
  redis.call('HDEL', KEYS[4], ARGV[i])
end
return 1
