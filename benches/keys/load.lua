-- What wrk sends, and how it counts. The environment says what, since everybody sees arguments:
--   BENCH_PATH, BENCH_ROOT    where to, and the root key
--   BENCH_BODY                the body, with `%s` in place of the key or its id
--   BENCH_ITEM                how a key or an id is written, given its number
--   BENCH_KEYS                how many keys there are
--   BENCH_ORDER               random: any key; all: each key once; chain: the id that came last
--   BENCH_EXPECTED            what each answer must hold; empty where answers are not read

local keys = tonumber(os.getenv("BENCH_KEYS"))
local order = os.getenv("BENCH_ORDER")
local expected = os.getenv("BENCH_EXPECTED")
local item = os.getenv("BENCH_ITEM")
local body = os.getenv("BENCH_BODY")
local head = table.concat({
  "POST " .. os.getenv("BENCH_PATH") .. " HTTP/1.1",
  "Host: 127.0.0.1",
  "Authorization: Bearer " .. os.getenv("BENCH_ROOT"),
  "Content-Type: application/json",
  "Content-Length: %d\r\n\r\n",
}, "\r\n")

-- Read by `done`, which runs in another state.
bad = 0
first_bad = ""

local function written(name)
  return string.format(head, #body - 2 + #name) .. string.format(body, name)
end

-- Names are of one length, so that all but them is written once.
local before, after = written(string.format(item, 0)):match("^(.*)" .. string.format(item, 0) .. "(.*)$")
local asked, answered = 0, 0
local ready, first, last = {}, 1, 0

math.randomseed(os.time() + math.floor(os.clock() * 1e6))

if order == "random" then
  function request()
    return before .. string.format(item, math.random(0, keys - 1)) .. after
  end
elseif order == "all" then
  function request()
    asked = asked + 1
    return before .. string.format(item, (asked - 1) % keys) .. after
  end
else
  function request()
    if first <= last then
      local name = ready[first]
      ready[first] = nil
      first = first + 1
      return written(name)
    end
    -- A key that nobody has rerolled yet. One run after another begins where none did before.
    asked = asked + 1
    return written(string.format(item, tonumber(os.getenv("BENCH_FROM")) + asked - 1))
  end
end

if expected ~= "" then
  function response(status, _, answer)
    answered = answered + 1
    if status ~= 200 or not answer:find(expected, 1, true) then
      bad = bad + 1
      if first_bad == "" then first_bad = status .. " " .. answer end
    elseif order == "chain" then
      last = last + 1
      ready[last] = answer:match('"keyId":"([^"]+)"')
    end
    -- wrk itself stops at no number of answers: whoever started it reads this.
    if order == "all" and answered == keys then
      io.write("all\n")
      io.flush()
    end
  end
end

local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function done(summary, latency)
  local wrong = 0
  for _, thread in ipairs(threads) do
    wrong = wrong + thread:get("bad")
    if thread:get("first_bad") ~= "" then io.stderr:write(thread:get("first_bad"), "\n") end
  end
  for _, errors in pairs(summary.errors) do wrong = wrong + errors end
  local told = '\n{"requests":%d,"seconds":%f,"bytes":%d,"wrong":%d,"p99":%f}\n'
  io.write(string.format(told, summary.requests, summary.duration / 1e6, summary.bytes, wrong,
    latency:percentile(99) / 1e3))
end
