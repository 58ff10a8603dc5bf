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
--            task begins; where results are not in JSON also s: "yaml" or "msgpack",
--            k: the task, and h: the member in it, in hex; and x, which is looked at for the last part only, as
--            JSON text:
--              v: {key, text} to be stored       (all ended well)
--              p: {place, pieces} to be published (all ended well; gaps: results)
--              f: {key, pieces} to be stored     (one failed; gaps: its reason)
--              e: {place, pieces} to be published (one failed)
--              o: {base, part} to be counted     (one failed; gaps: its reason)
--              r: why the body cannot be sent; then all is as if one had failed
--              u: {place, pieces} to be published in place of p (a peer's part cannot
--                 be read here; gaps: the tuples of the results)
--   publish  function(place, text)
--   claim    publishing comes later and elsewhere: the keys stay until then, and
--            .d says which part was the last. If it is counted again, all follows
--            again; from no other part does anything follow. Where nothing is to
--            be published, they go at once.
--
-- A part counts once, whatever it returns and however often it runs; what has
-- succeeded stays so. Without `claim` the keys go when the last one is counted, in
-- the same step as the body is published, so there is one body.

-- Members are written so that peers can read them. Where results are not in JSON, .r, a
-- hash, has them as JSON, by task. What peers write in these is not read here, but for
-- its task and its state.

local function escaped(text)
  return string.sub(cjson.encode(text), 2, -2)
end

-- A document whose gaps are filled, as results are written.
local function in_format(text, format)
  if format == 'msgpack' then
    return cmsgpack.pack(cjson.decode(text))
  end
  return text
end

local function parse_json_member(member)
  return string.match(member,
                      '^%[%s*1%s*,%s*"(.-)"%s*,%s*"(%u+)"%s*,%s*(.*)%]$')
end

-- Task, state, result as JSON: nil if it cannot be read here.
local function parse_member(base, member, format)
  if not format then
    return parse_json_member(member)
  end
  local task, state
  if format == 'yaml' then
    task, state = string.match(member, '^%[1, "(.-)", "(%u+)", ')
    if not task then -- as PyYAML writes it
      task, state = string.match(member, "^%- 1\n%- '?([^'\n]+)'?\n%- (%u+)\n")
    end
  else
    local ok, all = pcall(cmsgpack.unpack, member)
    if ok and type(all) == 'table' then
      task, state = all[2], all[3]
    end
  end
  local own = task and redis.pcall('HGET', base .. '.r', task)
  if type(own) == 'string' then
    return parse_json_member(own)
  end
  return task, state
end

local function forget(base, more)
  redis.call('DEL', base .. '.j', base .. '.t', base .. '.s', base .. '.a',
             base .. '.r', more or base .. '.j')
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

-- The lists in lists of a text of PyYAML's block style, which begins with a key. False
-- stands for null.
local function parse_yaml_lists(text)
  local open = {} -- lists by their columns
  for line in string.gmatch(text, '[^\n]+') do
    local at = string.find(line, '[^ ]')
    while string.sub(line, at, at + 1) == '- ' do
      while #open > 0 and open[#open].at > at do
        open[#open] = nil
      end
      local outer = open[#open]
      if not outer or outer.at < at then
        local list = {at = at}
        if outer then
          outer[#outer + 1] = list
        end
        open[#open + 1] = list
      end
      at = at + 2
    end
    local list, word = open[#open], string.sub(line, at)
    if list and word == 'null' then
      list[#list + 1] = false
    elseif list and word == '[]' then
      list[#list + 1] = {}
    elseif list then
      list[#list + 1] = string.match(word, "^'(.*)'$") or word
    end
  end
  return {result = open[1]}
end

-- The result tuples of a header that is nested; nil if it is not, and then why it
-- cannot be read if it is.
local function structure_of(base, format)
  local saved = redis.pcall('GET', base)
  if type(saved) ~= 'string' then
    return nil
  end
  local ok, document = pcall(cjson.decode, saved)
  if not ok and format == 'msgpack' then
    ok, document = pcall(cmsgpack.unpack, saved)
  elseif not ok and format == 'yaml' then
    ok, document = pcall(parse_yaml_lists, saved)
  end
  if ok and type(document) == 'table' and type(document.result) == 'table'
      and type(document.result[2]) == 'table' then
    return document.result[2]
  end
  return nil, 'The structure of the chord cannot be read'
end

-- A list in JSON, in the order of the header, nested if the header is: of each task
-- what `one` says.
local function list_of(order, structure, one)
  local all = {}
  if not structure then
    for i = 1, #order do
      all[i] = one(order[i])
    end
    return '[' .. table.concat(all, ', ') .. ']'
  end
  for i = 1, #structure do
    local id, children = structure[i][1][1], structure[i][2]
    if type(children) == 'table' then
      all[i] = list_of(nil, children, one)
    else
      all[i] = one(id)
    end
  end
  return '[' .. table.concat(all, ', ') .. ']'
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
  local order, results, reason, foreign = {}, {}, nil, false
  local members = redis.call('ZRANGE', base .. '.j', 0, -1)
  for i = 1, #members do
    local task, state, result = parse_member(base, members[i], part.s)
    if task then
      if not result then
        foreign = true
      elseif state ~= 'SUCCESS' and not reason then
        reason = reason_of(task, result)
      end
      if results[task] == nil then
        order[#order + 1] = task
      end
      results[task] = result or false
    end
  end
  local structure, gap = structure_of(base, part.s)
  reason = reason or ends.r or gap
  if not claim then
    forget(base)
  end
  if not reason and foreign then
    local tuples = escaped(list_of(order, structure, function(task)
      return '[[' .. cjson.encode(task) .. ', null], null]'
    end))
    for i = 1, #ends.u do
      publish(ends.u[i][1], table.concat(ends.u[i][2], tuples))
    end
    return
  end
  if not reason then
    local list = escaped(list_of(order, structure, function(task)
      return results[task] or 'null'
    end))
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
    store_result(ends.f[i][1],
                 in_format(table.concat(ends.f[i][2], reason), part.s), expires)
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
    forget(base, base .. '.d')
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
    local task, state = parse_member(base, same[i], part.s)
    if string.sub(same[i], 1, #begin) == begin or (part.k and task == part.k) then
      if state == 'SUCCESS' then
        known = true
      else
        redis.call('ZREM', parts, same[i])
      end
    end
  end
  if not known then
    if part.s then
      redis.call('HSET', base .. '.r', part.k, member)
      member = part.h and string.gsub(part.h, '..', function(x)
        return string.char(tonumber(x, 16))
      end) or in_format(member, part.s)
    end
    redis.call('ZADD', parts, index, member)
  end
  local size = tonumber(redis.call('GET', base .. '.s') or nil)
  local more = tonumber(redis.call('GET', base .. '.t') or '0')
  if expires ~= '0' then
    redis.call('EXPIRE', parts, expires)
    redis.call('EXPIRE', base .. '.t', expires)
    redis.call('EXPIRE', base .. '.s', expires)
    if part.s then
      redis.call('EXPIRE', base .. '.r', expires)
    end
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
