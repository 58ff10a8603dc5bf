-- deliver.lua: a part of scripts that send messages on, put before them by the
-- build, after place.lua.
--
-- step(letter, key, text, parked, parked_max): one step of what follows from a
-- message, by its letter:
--   P  LPUSH text to the place `key`: consumed last
--   B  RPUSH text to the place `key`: consumed next
--   D  park text in the dead-letter list `key`, of at most `parked_max`
-- A message for a place that does not take it (a key that is no list) is parked, in
-- the list `parked .. key`, rather than lost.

local function park(key, text, max)
  redis.pcall('LPUSH', key, text)
  redis.pcall('LTRIM', key, 0, max - 1)
end

local function step(letter, key, text, parked, parked_max)
  if letter == 'D' then
    park(key, text, parked_max)
    return
  end
  local command = letter == 'P' and 'LPUSH' or 'RPUSH'
  local done = put(redis.pcall, command, key, text)
  if type(done) == 'table' and done.err then
    local letter_text = cjson.encode({reason = done.err, payload = text})
    park(parked .. key, letter_text, parked_max)
  end
end
