-- supersede.lua: this connection reserves for its incarnation from now on, and no
-- other: see reserve.lua.
--
-- KEYS[1] which connection reserves ("umbel.reader.<incarnation>")
-- ARGV[1] name of this one
--
-- A server without memory refuses SET, unless the script has written before.

redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[1], ARGV[1], 'EX', 3600)
