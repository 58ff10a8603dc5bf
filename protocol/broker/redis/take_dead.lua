-- take_dead.lua: takes dead letters out of their list, each in one step with what
-- becomes of it.
--
-- KEYS[1] list of dead letters ("umbel.dead.<queue>")
-- ARGV[1] prefix of dead-letter lists ("umbel.dead.")
-- ARGV[2] length bound of a dead-letter list
-- ARGV[3...] for each letter
--   the text that stands in the list
--   the list to put it on; empty: it is forgotten
--   the message to put there
--
-- Returns how many were still there. What cannot be put on its list is parked
-- again, see deliver.lua.

local taken = 0
for i = 3, #ARGV, 3 do
  if redis.call('LREM', KEYS[1], 1, ARGV[i]) == 1 then
    taken = taken + 1
    if ARGV[i + 1] ~= '' then
      step('P', ARGV[i + 1], ARGV[i + 2], ARGV[1], tonumber(ARGV[2]))
    end
  end
end
return taken
