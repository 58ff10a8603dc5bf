-- finish.lua: forgets chords whose end was published elsewhere (count.lua).
--
-- ARGV: for each chord the key of its group, and how every member of the part
--       begins that was its last one (chord.lua: b)
--
-- A chord that another part has ended, or that has not ended, is left alone.

for i = 1, #ARGV, 2 do
  local base = ARGV[i]
  if redis.pcall('GET', base .. '.d') == ARGV[i + 1] then
    redis.call('DEL', base .. '.j', base .. '.t', base .. '.s', base .. '.a',
               base .. '.r', base .. '.d')
  end
end
return ''
