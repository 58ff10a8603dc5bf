-- end_fanout.lua: ends the queues of fanout exchanges that were a node's alone.
--
-- KEYS[1] of each node, what its queues have left in Redis ("umbel.fanout")
-- KEYS[2] hash of incarnations ("umbel.incarnations")
-- ARGV[1] node
-- ARGV[2] an incarnation of it that does not count
--
-- Nothing happens while the node has another life. Returns how many lists went.

local left = redis.call('HGET', KEYS[1], ARGV[1])
if not left then
  return 0
end
local all = redis.call('HGETALL', KEYS[2])
for i = 1, #all, 2 do
  if all[i] ~= ARGV[2] and all[i + 1] == ARGV[1] then
    return 0
  end
end
redis.call('HDEL', KEYS[1], ARGV[1])
local read, x = pcall(cjson.decode, left)
if not read then
  return 0
end
for _, member in ipairs(x.members) do
  redis.pcall('SREM', member[1], member[2])
end
for _, list in ipairs(x.lists) do
  redis.pcall('DEL', list)
end
return #x.lists
