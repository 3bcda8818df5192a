"""The script that counts a request in Redis: one call, atomic, on the server's own clock.

A limit is a hash. A field `<slot>|<u or n>|<tenant>` holds the weight that a tenant used in a tenth of the window, for
urgent requests or for others; `stop` holds the time until which the exchange wants a pause. A slot counts until it can
no longer be part of any window that ends now, so the sum is never less than what the exchange counts, whenever its
windows begin.

KEYS: the processes (a sorted set by last use), then the hash of each limit.
ARGV: process; `<u or n>|<tenant>`; 1 to count the request even if it does not fit; then of each limit `window_ms`,
`weight`, `cap`, `contended_cap`, `stop_ms` (a pause to begin) and `seen` (what the exchange has counted).
Reply: 1 if it was counted; how many processes there are; then of each limit what is used, how long to wait (ms), and
how much is left of a pause (ms).
"""

from hashlib import sha1
from typing import Final

from millrace_core.names import BUDGET_STOPS

SLOTS: Final = 10
"""Parts into which a window is divided."""
ARGUMENTS: Final = 6
"""Arguments of each limit."""
PEER_MS: Final = 60_000
"""How long after its last request a process counts as one of those that share the address."""

SCRIPT: Final = f"""
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local process, user, forced = ARGV[1], ARGV[2], ARGV[3] == '1'
redis.call('ZADD', KEYS[1], now, process)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - {PEER_MS})
redis.call('PEXPIRE', KEYS[1], {PEER_MS})
local reply = {{1, redis.call('ZCARD', KEYS[1])}}
local slots = {{}}
for index = 2, #KEYS do
  local key, first = KEYS[index], 3 + (index - 2) * {ARGUMENTS}
  local window, weight, cap = tonumber(ARGV[first + 1]), tonumber(ARGV[first + 2]), tonumber(ARGV[first + 3])
  local contended, stop, seen = tonumber(ARGV[first + 4]), tonumber(ARGV[first + 5]), tonumber(ARGV[first + 6])
  local width = window / {SLOTS}
  local slot = math.floor(now / width)
  local used, mine, tenants, sharing, oldest, stopped = 0, 0, 1, {{[user] = true}}, slot, 0
  local fields = redis.call('HGETALL', key)
  for at = 1, #fields, 2 do
    local name, value = fields[at], tonumber(fields[at + 1])
    local bar = string.find(name, '|', 1, true)
    if bar == nil then
      stopped = math.max(0, value - now)
    elseif tonumber(string.sub(name, 1, bar - 1)) < slot - {SLOTS} then
      redis.call('HDEL', key, name)
    else
      local whose = string.sub(name, bar + 1)
      used = used + value
      oldest = math.min(oldest, tonumber(string.sub(name, 1, bar - 1)))
      if whose == user then mine = mine + value end
      if whose ~= 'n|' and string.byte(whose) == string.byte(user) and not sharing[whose] then
        sharing[whose], tenants = true, tenants + 1
      end
    end
  end
  if seen > used then
    redis.call('HINCRBY', key, slot .. '|n|', seen - used)
    used = seen
  end
  if stop > stopped then
    stopped = stop
    redis.call('HSET', key, 'stop', string.format('%d', now + stop))
    redis.call('PUBLISH', '{BUDGET_STOPS}', stop .. ' ' .. key)
  end
  local fair = mine + weight <= cap / tenants or used + weight <= contended
  local fits = weight == 0 or (used + weight <= cap and fair) or (used == 0 and cap > 0)
  local wait = 0
  if stopped > 0 then wait = stopped elseif not fits then
    wait = math.ceil((oldest + {SLOTS} + 1) * width - now)
  end
  if wait > 0 and not forced then reply[1] = 0 end
  slots[index] = {{slot .. '|' .. user, weight, math.max(2 * window, stopped)}}
  reply[#reply + 1], reply[#reply + 2], reply[#reply + 3] = used, wait, stopped
end
for index = 2, #KEYS do
  local field, weight, kept = slots[index][1], slots[index][2], slots[index][3]
  if reply[1] == 1 and weight > 0 then
    redis.call('HINCRBY', KEYS[index], field, weight)
    reply[3 * index - 3] = reply[3 * index - 3] + weight
  end
  redis.call('PEXPIRE', KEYS[index], math.ceil(kept))
end
return reply
"""
SHA: Final = sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()
"""How `EVALSHA` names the script."""
