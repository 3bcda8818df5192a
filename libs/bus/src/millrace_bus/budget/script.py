"""The script that counts a request in Redis: one call, atomic, on the server's own clock.

A limit is a hash. Its field `<slot>` holds the weight that everybody used in a tenth of the window, `<slot>|<user>`
that of one user; `stop` holds the time until which the exchange wants a pause. A slot counts until it can no longer be
part of any window that ends now, so the sum is never less than what the exchange counts, whenever its windows begin.
Beside it a sorted set has the users, each with the last slot in which it used something. A call costs the same however
many there are, unless they compete. A user is a tenant, for urgent requests (`u|<tenant>`) or for others
(`n|<tenant>`).

What another program has put in the place of one of these keys is removed: else nobody would share the limit.

KEYS: the processes (a sorted set by last use), then of each limit the hash and the set of users.
ARGV: process; user, empty for the exchange's own count; 1 to count the request even if it does not fit; then of each
limit `window_ms`, `weight`, `cap`, `contended_cap`, `stop_ms` (a pause to begin), `seen` (what the exchange counted).
Reply: 1 if it was counted; how many processes there are; then of each limit what is used, how long to wait (ms), and
how much is left of a pause (ms).
"""

from hashlib import sha1
from typing import Final

from millrace_core.names import BUDGET_STOPS

SLOTS: Final = 10
"""Parts into which a window is divided."""
PEER_MS: Final = 60_000
"""How long after its last request a process counts as one of those that share the address."""

SCRIPT: Final = f"""
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local process, user, forced = ARGV[1], ARGV[2], ARGV[3] == '1'

local function at(command, key, ...)
  local reply = redis.pcall(command, key, ...)
  if type(reply) == 'table' and reply.err and string.find(reply.err, 'WRONGTYPE', 1, true) then
    redis.call('PEXPIRE', key, 0)
    reply = redis.pcall(command, key, ...)
  end
  if type(reply) == 'table' and reply.err then error(reply) end
  return reply
end

local function forget(key, last, suffix)
  local names = {{}}
  for slot = last - {2 * SLOTS + 1}, last do names[#names + 1] = slot .. suffix end
  redis.call('HDEL', key, unpack(names))
end

local function used_of(key, slot)
  local names = {{'stop'}}
  for back = 0, {SLOTS} do
    names[#names + 1] = tostring(slot - back)
    names[#names + 1] = (slot - back) .. '|' .. user
  end
  local values = at('HMGET', key, unpack(names))
  local used, mine, oldest = 0, 0, slot
  for back = 0, {SLOTS} do
    local all, own = tonumber(values[2 + 2 * back]), tonumber(values[3 + 2 * back])
    if all then used, oldest = used + all, slot - back end
    if own then mine = mine + own end
  end
  return used, mine, oldest, math.max(0, (tonumber(values[1]) or 0) - now)
end

local function sharing(users)
  local count, kind = 1, string.byte(user)
  for _, other in ipairs(at('ZRANGE', users, 0, -1)) do
    if other ~= user and string.byte(other) == kind then count = count + 1 end
  end
  return count
end

local function forget_gone(key, users, slot)
  local last = slot - {SLOTS + 1}
  local gone = at('ZRANGEBYSCORE', users, '-inf', last, 'WITHSCORES')
  for at = 1, #gone, 2 do forget(key, tonumber(gone[at + 1]), '|' .. gone[at]) end
  redis.call('ZREMRANGEBYSCORE', users, '-inf', last)
end

local function add(key, slot, weight, suffix)
  local is_new = redis.call('HINCRBY', key, slot .. suffix, weight) == weight
  if is_new then forget(key, slot - {SLOTS + 1}, suffix) end
  return is_new
end

at('ZADD', KEYS[1], now, process)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - {PEER_MS})
redis.call('PEXPIRE', KEYS[1], {PEER_MS})
local reply, limits = {{1, redis.call('ZCARD', KEYS[1])}}, {{}}
for at = 2, #KEYS, 2 do
  local key, users, first = KEYS[at], KEYS[at + 1], 3 * at - 3
  local window, weight, cap = tonumber(ARGV[first + 1]), tonumber(ARGV[first + 2]), tonumber(ARGV[first + 3])
  local contended, stop, seen = tonumber(ARGV[first + 4]), tonumber(ARGV[first + 5]), tonumber(ARGV[first + 6])
  local width = window / {SLOTS}
  local slot = math.floor(now / width)
  local used, mine, oldest, stopped = used_of(key, slot)
  if seen > used then
    add(key, slot, seen - used, '')
    used = seen
  end
  if stop > stopped then
    stopped = stop
    redis.call('HSET', key, 'stop', string.format('%d', now + stop))
    redis.call('PUBLISH', '{BUDGET_STOPS}', stop .. ' ' .. key)
  end
  local wait = 0
  if stopped > 0 then
    wait = stopped
  elseif weight > 0 and not forced then
    local fair = used + weight <= contended or mine + weight <= cap / sharing(users)
    local fits = (used + weight <= cap and fair) or (used == 0 and cap > 0)
    if not fits then wait = math.ceil((oldest + {SLOTS} + 1) * width - now) end
  end
  if wait > 0 and not forced then reply[1] = 0 end
  limits[#limits + 1] = {{key, users, slot, weight, math.ceil(math.max(2 * window, stopped)), #reply + 1}}
  reply[#reply + 1], reply[#reply + 2], reply[#reply + 3] = used, wait, stopped
end
for _, limit in ipairs(limits) do
  local key, users, slot, weight, kept, place = unpack(limit)
  if reply[1] == 1 and weight > 0 then
    if add(key, slot, weight, '') then forget_gone(key, users, slot) end
    add(key, slot, weight, '|' .. user)
    at('ZADD', users, slot, user)
    redis.call('PEXPIRE', users, kept)
    reply[place] = reply[place] + weight
  end
  redis.call('PEXPIRE', key, kept)
end
return reply
"""
SHA: Final = sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()
"""How `EVALSHA` names the script."""
