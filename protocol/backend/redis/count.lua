-- count.lua: counts parts of chords whose bodies are published elsewhere, with
-- chord.lua.
--
-- ARGV[1] expiry of results in seconds, "0": never
-- ARGV[2] how many records of groups
-- ARGV[3...] for each of them "V", key and text, or "J", the group's key and the id
--         of a task that joins its chord; then for each part the key of its group
--         and the part as JSON (see chord.lua)
--
-- Returns an array with an array for each part: what is to be published because
-- of it, queue and text alternating.

local expires, records = ARGV[1], tonumber(ARGV[2])
local at = 3
for _ = 1, records do
  local key, text = ARGV[at + 1], ARGV[at + 2]
  if ARGV[at] == 'J' then
    join_chord(key, text, expires)
  else
    redis.pcall('SET', key, text)
    if expires ~= '0' then
      redis.pcall('EXPIRE', key, expires)
    end
  end
  at = at + 3
end

local reply = {}
while at <= #ARGV do
  local messages = {}
  local function publish(queue, text)
    messages[#messages + 1] = queue
    messages[#messages + 1] = text
  end
  -- A key of another type, which is nobody's chord, must not hold up the rest.
  pcall(count_part, ARGV[at], cjson.decode(ARGV[at + 1]), expires, publish, true)
  reply[#reply + 1] = messages
  at = at + 2
end
return reply
