-- lead.lua: takes or renews the lead among the beats of a schedule.
--
-- KEYS[1] lease ("umbel.beat.lease"): "<number>/<incarnation>/<node>", expires
-- KEYS[2] number of the last leadership ("umbel.beat.leaderships")
-- KEYS[3] set of entries that commands have changed ("umbel.beat.changed")
-- ARGV[1] the lease as this beat holds it; empty: it holds none
-- ARGV[2] "<incarnation>/<node>" of this beat
-- ARGV[3] expiry in milliseconds
--
-- Returns {0, lease} if another beat leads; {1, lease, entry ...} if this one goes on
-- to lead, with what has been changed; {2, lease} if it leads from now on. The lease
-- is the fencing token: no two leaderships have the same.
local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[1] then
  return {0, held}
end
if held then
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  local result = redis.call('SMEMBERS', KEYS[3])
  if #result > 0 then
    redis.call('DEL', KEYS[3])
  end
  table.insert(result, 1, held)
  table.insert(result, 1, 1)
  return result
end
local lease = redis.call('INCR', KEYS[2]) .. '/' .. ARGV[2]
redis.call('SET', KEYS[1], lease, 'PX', ARGV[3])
redis.call('DEL', KEYS[3])
return {2, lease}
