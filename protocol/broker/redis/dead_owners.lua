-- dead_owners.lua: finds incarnations whose lease is gone, and forgets those
-- that have been dealt with.
--
-- KEYS[1] hash of incarnations ("umbel.incarnations")
-- ARGV[1] prefix of leases ("umbel.lease.")
-- ARGV[2...] incarnations to forget, if their lease is still gone
--
-- Returns an array: incarnation and node, alternating, of each that is left and
-- has no lease.

for i = 2, #ARGV do
  if redis.call('EXISTS', ARGV[1] .. ARGV[i]) == 0 then
    redis.call('HDEL', KEYS[1], ARGV[i])
  end
end
local all = redis.call('HGETALL', KEYS[1])
local dead = {}
for i = 1, #all, 2 do
  if redis.call('EXISTS', ARGV[1] .. all[i]) == 0 then
    dead[#dead + 1] = all[i]
    dead[#dead + 1] = all[i + 1]
  end
end
return dead
