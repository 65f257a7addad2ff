"""The compare-and-set script that Redis runs: a lower revision never overwrites a higher one.

KEYS[1]   the key
ARGV      revision, state, value, remaining TTL (ms), age (ms), time of sending (Redis's clock, ms), time to keep the entry
          past its TTL (ms), proven_at (the primary's clock, ms), tenant revision
returns   {1} if the entry was stored; {0, the stored value, Redis's clock in ms} if the stored entry has a higher revision,
          or the same revision and does not expire earlier

Of two readings of one revision with one value, the entry that expires later is stored with the later read_at, proven_at and
tenant revision of both: it never lowers what is proven.

The stored value is a MessagePack array: revision, state, value, read_at, expires_at (both in ms of Redis's clock), proven_at
and tenant revision. Both times are computed from the time of sending, so that a command delayed in the socket of a frozen
server does not extend the TTL. If Redis's clock was set back since the sender last read it, they are computed from now.
"""

SCRIPT = """
local revision, remaining, age = tonumber(ARGV[1]), tonumber(ARGV[4]), tonumber(ARGV[5])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local sent = math.min(now, tonumber(ARGV[6]))
local expires_at = sent + remaining
local state, read_at, proven_at, tenant_revision = tonumber(ARGV[2]), sent - age, tonumber(ARGV[8]), tonumber(ARGV[9])
local stored = redis.call('GET', KEYS[1])
if stored then
  local readable, current = pcall(cmsgpack.unpack, stored)
  if readable and type(current) == 'table' and type(current[1]) == 'number' and type(current[5]) == 'number' then
    if current[1] > revision or (current[1] == revision and current[5] >= expires_at) then
      return {0, stored, now}
    end
    if current[1] == revision and current[2] == state and current[3] == ARGV[3] then
      read_at = math.max(read_at, tonumber(current[4]) or read_at)
      proven_at = math.max(proven_at, tonumber(current[6]) or 0)
      tenant_revision = math.max(tenant_revision, tonumber(current[7]) or 0)
    end
  end
end
local value = cmsgpack.pack({revision, state, ARGV[3], read_at, expires_at, proven_at, tenant_revision})
redis.call('SET', KEYS[1], value, 'PX', math.max(1, expires_at - now) + tonumber(ARGV[7]))
return {1}
"""
