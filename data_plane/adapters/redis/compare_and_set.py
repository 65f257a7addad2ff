"""The compare-and-set that Redis runs: a newer revision is never overwritten by an older one.

KEYS[1]   the key
ARGV      revision, state, url, remaining ms, age ms, sent at (Redis's clock, ms), ms to keep it past its life,
          proven as of (the primary's clock, ms), the tenant's revision it reflects
returns   {1} when stored, {0, what is stored, Redis's clock in ms} when that is newer, or the same for as long

Stored is a MessagePack array: revision, state, url, right as of, expires at, and the last two as they came. The two
times are in ms of Redis's clock. They
count from when the command was sent: one that lay in the socket of a frozen server must not live longer for it.
(They count from now where Redis's clock was set back since the sender has last seen it.)
"""

SCRIPT = """
local revision, remaining, age = tonumber(ARGV[1]), tonumber(ARGV[4]), tonumber(ARGV[5])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local sent = math.min(now, tonumber(ARGV[6]))
local expires_at = sent + remaining
local stored = redis.call('GET', KEYS[1])
if stored then
  local readable, held = pcall(cmsgpack.unpack, stored)
  if readable and type(held) == 'table' and type(held[1]) == 'number' and type(held[5]) == 'number'
    and (held[1] > revision or (held[1] == revision and held[5] >= expires_at)) then
    return {0, stored, now}
  end
end
local value = cmsgpack.pack({revision, tonumber(ARGV[2]), ARGV[3], sent - age, expires_at,
  tonumber(ARGV[8]), tonumber(ARGV[9])})
redis.call('SET', KEYS[1], value, 'PX', math.max(1, expires_at - now) + tonumber(ARGV[7]))
return {1}
"""
