-- place.lua: a part of all scripts that publish, put before them by the build.
--
-- put(call, command, place, text): sends a message where messages for its queue go.
--   call     redis.call or redis.pcall
--   command  LPUSH or RPUSH, for a list
--   place    a list; or, after a zero byte, the channel of a fanout exchange:
--            there the message goes to all who listen

local function put(call, command, place, text)
  if string.byte(place) == 0 then
    return call('PUBLISH', string.sub(place, 2), text)
  end
  return call(command, place, text)
end
