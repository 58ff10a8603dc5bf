-- resign.lua: gives up the lead.
--
-- KEYS[1] lease ("umbel.beat.lease")
-- ARGV[1] the lease as this beat holds it
--
-- Returns 1, or 0 if it does not lead any more.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('DEL', KEYS[1])
