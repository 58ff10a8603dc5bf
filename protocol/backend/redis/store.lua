-- store.lua: stores results and wakes whoever waits for them. A stored SUCCESS
-- is never overwritten (store_result.lua).
--
-- ARGV[1] expiry in seconds, "0": never
-- ARGV[2...] key and document, alternating
--
-- Returns how many results there were.

for i = 2, #ARGV, 2 do
  store_result(ARGV[i], ARGV[i + 1], ARGV[1])
end
return (#ARGV - 1) / 2
