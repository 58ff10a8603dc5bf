-- chord.lua: a part of settle.lua and count.lua, put before them by the build,
-- after store_result.lua and deliver.lua.
--
-- join_chord(base, task, expires): one more task belongs to the header, this one.
-- However often that is said, it counts once: .a has the ids.
--
-- count_part(base, part, expires, publish, claim): counts a part of a chord that
-- has ended, and carries out what follows from it if it is the last one.
--
--   base     the group's key, "celery-taskset-meta-<id>"; `base` alone holds the
--            group's structure if it is nested; .j its parts, a sorted set of
--            `[1, task, state, result]` by index; .s the size; .t what was added
--            to the size later. These are Celery's (contract section 6.2).
--   part     i: index, m: pieces of its member of .j, b: how every member of this
--            task begins, and x, which is looked at for the last part only, as
--            JSON text:
--              v: {key, text} to be stored       (all ended well)
--              p: {place, pieces} to be published (all ended well; gaps: results)
--              f: {key, pieces} to be stored     (one failed; gaps: its reason)
--              e: {place, pieces} to be published (one failed)
--              o: {base, part} to be counted     (one failed; gaps: its reason)
--   publish  function(place, text)
--   claim    publishing comes later and elsewhere: the keys stay until then, and
--            .d says which part was the last. If it is counted again, all follows
--            again; from no other part does anything follow. Where nothing is to
--            be published, they go at once.
--
-- A part counts once, whatever it returns and however often it runs; what has
-- succeeded stays so. Without `claim` the keys go when the last one is counted, in
-- the same step as the body is published, so there is one body.

local function escaped(text)
  return string.sub(cjson.encode(text), 2, -2)
end

local function parse_member(member)
  local task, state, result =
    string.match(member, '^%[%s*1%s*,%s*"(.-)"%s*,%s*"(%u+)"%s*,%s*(.*)%]$')
  return task, state, result
end

-- Python's repr, of what exceptions are made with most often.
local function repr(x)
  if x == cjson.null then
    return 'None'
  elseif x == true then
    return 'True'
  elseif x == false then
    return 'False'
  elseif type(x) ~= 'string' then
    return cjson.encode(x)
  end
  local quote = "'"
  if string.find(x, "'", 1, true) and not string.find(x, '"', 1, true) then
    quote = '"'
  end
  x = string.gsub(x, '\\', '\\\\')
  x = string.gsub(x, '\n', '\\n')
  x = string.gsub(x, '\r', '\\r')
  x = string.gsub(x, '\t', '\\t')
  if quote == "'" then
    x = string.gsub(x, "'", "\\'")
  end
  return quote .. x .. quote
end

local function reason_of(task, result)
  local ok, why = pcall(cjson.decode, result)
  if not ok or type(why) ~= 'table' or type(why.exc_type) ~= 'string' then
    return 'Dependency ' .. task .. ' raised ' .. result
  end
  local args = why.exc_message
  if type(args) ~= 'table' then
    args = {args}
  end
  for i = 1, #args do
    args[i] = repr(args[i])
  end
  local name = string.match(why.exc_type, '[^.]*$')
  return 'Dependency ' .. task .. ' raised ' .. name .. '('
         .. table.concat(args, ', ') .. ')'
end

-- The results as a list in JSON, in the order of the header; nested if the
-- header was.
local function results_of(base, order, results)
  local saved = redis.pcall('GET', base)
  if type(saved) ~= 'string' then
    local all = {}
    for i = 1, #order do
      all[i] = results[order[i]]
    end
    return '[' .. table.concat(all, ', ') .. ']'
  end
  local function list(tuples)
    local all = {}
    for i = 1, #tuples do
      local id, children = tuples[i][1][1], tuples[i][2]
      if type(children) == 'table' then
        all[i] = list(children)
      else
        all[i] = results[id] or 'null'
      end
    end
    return '[' .. table.concat(all, ', ') .. ']'
  end
  return list(cjson.decode(saved).result[2])
end

local function join_chord(base, task, expires)
  -- Keys of other types are nobody's chord.
  if redis.pcall('SADD', base .. '.a', task) ~= 1 then
    return
  end
  redis.pcall('INCR', base .. '.t')
  if expires ~= '0' then
    redis.call('EXPIRE', base .. '.a', expires)
    redis.call('EXPIRE', base .. '.t', expires)
  end
end

local count_part

local function end_chord(base, part, expires, send, claim)
  local ends = cjson.decode(part.x)
  local published = false
  local function publish(list, text)
    published = true
    send(list, text)
  end
  local order, results, reason = {}, {}, nil
  local members = redis.call('ZRANGE', base .. '.j', 0, -1)
  for i = 1, #members do
    local task, state, result = parse_member(members[i])
    if task then
      if state ~= 'SUCCESS' and not reason then
        reason = reason_of(task, result)
      end
      if not results[task] then
        order[#order + 1] = task
      end
      results[task] = result
    end
  end
  if not claim then
    redis.call('DEL', base .. '.j', base .. '.t', base .. '.s', base .. '.a')
  end
  if not reason then
    local list = escaped(results_of(base, order, results))
    for i = 1, #ends.v do
      redis.call('SET', ends.v[i][1], ends.v[i][2])
      if expires ~= '0' then
        redis.call('EXPIRE', ends.v[i][1], expires)
      end
    end
    for i = 1, #ends.p do
      publish(ends.p[i][1], table.concat(ends.p[i][2], list))
    end
    return
  end
  reason = escaped(reason)
  for i = 1, #ends.f do
    store_result(ends.f[i][1], table.concat(ends.f[i][2], reason), expires)
  end
  for i = 1, #ends.e do
    publish(ends.e[i][1], table.concat(ends.e[i][2]))
  end
  for i = 1, #ends.o do
    local outer = ends.o[i][2]
    outer.m = {table.concat(outer.m, reason)}
    count_part(ends.o[i][1], outer, expires, publish, claim)
  end
  if claim and not published then
    redis.call('DEL', base .. '.j', base .. '.t', base .. '.s', base .. '.a',
               base .. '.d')
  end
end

function count_part(base, part, expires, publish, claim)
  local parts = base .. '.j'
  local index = part.i or '+inf'
  local member = table.concat(part.m)
  local begin = part.b
  local same = redis.call('ZRANGEBYSCORE', parts, index, index)
  local known = false
  for i = 1, #same do
    if string.sub(same[i], 1, #begin) == begin then
      local _, state = parse_member(same[i])
      if state == 'SUCCESS' then
        known = true
      else
        redis.call('ZREM', parts, same[i])
      end
    end
  end
  if not known then
    redis.call('ZADD', parts, index, member)
  end
  local size = tonumber(redis.call('GET', base .. '.s') or nil)
  local more = tonumber(redis.call('GET', base .. '.t') or '0')
  if expires ~= '0' then
    redis.call('EXPIRE', parts, expires)
    redis.call('EXPIRE', base .. '.t', expires)
    redis.call('EXPIRE', base .. '.s', expires)
  end
  if not size or redis.call('ZCARD', parts) < size + more then
    return
  end
  if claim then
    local last = redis.call('GET', base .. '.d')
    if last and last ~= begin then
      return
    end
    redis.call('SET', base .. '.d', begin, 'EX', 86400)
  end
  end_chord(base, part, expires, publish, claim)
end
