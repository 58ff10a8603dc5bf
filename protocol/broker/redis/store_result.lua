-- store_result.lua: a part of settle.lua and store.lua, put before them by the
-- build.
--
-- store_result(key, document, expires): stores a result and wakes whoever waits
-- for it, unless a SUCCESS is stored already. `expires` is in seconds, '0' is
-- never.

local function is_success(key)
  local stored = redis.pcall('GET', key)
  if type(stored) ~= 'string' then
    return false -- not even a string: may be overwritten
  end
  -- MessagePack: a map of up to 15 members, or with its size in two bytes.
  if string.find(stored, '^[\128-\143]\166status\167SUCCESS')
      or string.find(stored, '^\222..\166status\167SUCCESS')
      -- PyYAML's block style, where the keys stand in order.
      or string.find(stored, '\nstatus: SUCCESS\n', 1, true) then
    return true
  end
  -- JSON, and Umbel's YAML, have it first.
  local status = string.match(stored, '^{%s*"status"%s*:%s*"([^"]*)"')
  if status then
    return status == 'SUCCESS'
  end
  local ok, document = pcall(cjson.decode, stored)
  return ok and type(document) == 'table' and document.status == 'SUCCESS'
end

local function store_result(key, document, expires)
  local call = redis.call
  -- Most often nothing is stored yet: then one command does it.
  if expires == '0' then
    if not call('SET', key, document, 'NX') then
      if is_success(key) then
        return
      end
      call('SET', key, document)
    end
  elseif not call('SET', key, document, 'EX', expires, 'NX') then
    if is_success(key) then
      return
    end
    call('SET', key, document, 'EX', expires)
  end
  call('PUBLISH', key, document)
end
