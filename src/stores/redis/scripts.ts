/**
 * What must be one step inside Redis, as Lua. Every key and value arrives as an argument; nothing is ever
 * pasted into a script.
 */
import { FORMAT_VERSION, MAX_VALUE_BYTES } from '../../cache/stored-value.ts';

/**
 * `supersedes` (entry.ts) for two stored values: a terminal one is never replaced; else the later answer,
 * unless it moves a job backwards while the held one is fresh. Bytes that are no value count as none.
 */
const KEEP_FUNCTION = `
local function head(value)
  local rank, at = string.match(value, '^${FORMAT_VERSION} ([1-3]) (%d+) ')
  return tonumber(rank), tonumber(at)
end
local function keep(key, value, freshMs, expiryMs)
  local held = redis.pcall('GETRANGE', key, 0, 63)
  if type(held) == 'table' and not string.find(held.err, 'WRONGTYPE', 1, true) then
    redis.call('GETRANGE', key, 0, 63) -- refused: what cannot be compared is not replaced
  end
  local heldRank, heldAt
  if type(held) == 'string' then heldRank, heldAt = head(held) end
  if heldRank then
    local rank, at = head(value)
    if heldRank == 3 then return 0 end
    if rank < 3 and (at < heldAt or (rank < heldRank and at < heldAt + tonumber(freshMs))) then return 0 end
  end
  if expiryMs == '' then redis.call('SET', key, value)
  else redis.call('SET', key, value, 'PX', expiryMs) end
  return 1
end`;

/** KEYS: entry, mark. ARGV: value, its freshness in ms, its expiry in ms or empty. 1 when it was kept; never beside a mark. */
export const KEEP = `${KEEP_FUNCTION}
if redis.pcall('GETRANGE', KEYS[2], 0, 63) ~= '' then return 0 end
return keep(KEYS[1], ARGV[1], ARGV[2], ARGV[3])`;

/**
 * Deletes an entry, and marks its id for a while: whatever was asked before is not kept, whoever asked it. The lease of
 * who is asking now goes too, so that nobody waits for that answer. KEYS: entry, lease, mark. ARGV: the mark, its expiry
 * in ms, channel, message.
 */
export const PURGE = `
redis.call('SET', KEYS[3], ARGV[1], 'PX', ARGV[2])
redis.call('DEL', KEYS[1], KEYS[2])
redis.pcall('PUBLISH', ARGV[3], ARGV[4])
return 1`;

/** KEYS: entry. ARGV: SHA-1 of the bytes that did not add up (their first megabyte). Spares newer ones. */
export const DISCARD = `
local held = redis.pcall('GETRANGE', KEYS[1], 0, ${MAX_VALUE_BYTES})
if type(held) == 'string' and redis.sha1hex(held) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])`;

/**
 * KEYS: lease, mark. ARGV: owner, expiry in ms. Gives 0 when it is ours, else what another's still has to run, ms, and
 * the mark of the last purge, or nothing. One that would run longer than an owner of ours asks for is cut short (#150).
 */
export const ACQUIRE = `
local mark = redis.pcall('GETRANGE', KEYS[2], 0, 63)
if type(mark) ~= 'string' then mark = '' end
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return {0, mark} end
local left = redis.call('PTTL', KEYS[1])
if left < 0 or left > tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return {math.max(1, left), mark}`;

/** GETRANGE where GET would do: one permission less. Another type at the key is nobody's lease. */
const OWNS = `redis.pcall('GETRANGE', KEYS[#KEYS], 0, -1) == ARGV[1]`;

/** KEYS: lease. ARGV: owner, expiry in ms. */
export const RENEW = `
if not (${OWNS}) then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])`;

/**
 * Ends a load: keeps what came, frees the lease if it is still ours, tells the others. An owner that lost
 * its lease may still bring an answer, but no longer speaks for a failure. Who may not publish still keeps (#155).
 * A 404 is not kept, but what it supersedes goes: an in-flight value that was stale when it came (#85). What was asked
 * before a purge is not kept either.
 * KEYS: entry, mark, lease. ARGV: owner, channel, message, then as KEEP with an empty value for a failure and a 404,
 * then when a 404 was answered, epoch ms, else empty, and the mark that ACQUIRE gave.
 */
export const SETTLE = `${KEEP_FUNCTION}
local isCurrent = redis.pcall('GETRANGE', KEYS[2], 0, 63) == ARGV[8]
if ARGV[4] ~= '' and isCurrent then keep(KEYS[1], ARGV[4], ARGV[5], ARGV[6]) end
if ARGV[7] ~= '' then
  local held = redis.pcall('GETRANGE', KEYS[1], 0, 63)
  local rank, at
  if type(held) == 'string' then rank, at = head(held) end
  if rank and rank < 3 and tonumber(ARGV[7]) >= at + tonumber(ARGV[5]) then redis.call('DEL', KEYS[1]) end
end
local mine = ${OWNS}
if mine then redis.call('DEL', KEYS[3]) end
if mine or ARGV[4] ~= '' then redis.pcall('PUBLISH', ARGV[2], ARGV[3]) end
return 1`;

/**
 * Tries what the scripts above do, at a key that nothing is kept at, and changes nothing. What it publishes is
 * no message that anybody heeds. KEYS: that key. ARGV: channels. For each refusal the ACL rule and its text.
 */
export const PROBE = `
local refused = {}
local function try(rule, ...)
  local reply = redis.pcall(...)
  if type(reply) == 'table' and reply.err then refused[#refused + 1] = {rule, reply.err} end
end
try('+set', 'SET', KEYS[1], '', 'XX', 'PX', '1')
try('+pttl', 'PTTL', KEYS[1])
try('+pexpire', 'PEXPIRE', KEYS[1], '1')
try('+del', 'DEL', KEYS[1])
for _, channel in ipairs(ARGV) do try('+publish', 'PUBLISH', channel, '') end
return refused`;
