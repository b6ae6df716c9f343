-- The load of one endpoint, for wrk. What to send comes from files that bench/load.py writes; every
-- answer's status is looked at, and anything but 2xx is a failure that is counted and shown.

local plan, items, count
local sent = 0
answered, failed, first = 0, 0, ""
local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(arguments)
  plan = dofile(arguments[1])
  items = {}
  for line in io.lines(arguments[2]) do
    items[#items + 1] = line
  end
  count = #items
end

-- {n} is a number of its own for each request, {item} a line of the items, {round} one of the
-- rounds: the first while the items last for the first time, then the next, and so on.
local function filled(text)
  local place = (sent - 1) % count + 1
  local around = math.floor((sent - 1) / count)
  local values = {
    n = plan.prefix .. sent,
    item = items[place],
    round = plan.rounds[around % #plan.rounds + 1],
  }
  return (string.gsub(text, "{(%l+)}", values))
end

function request()
  sent = sent + 1
  local headers = {Authorization = plan.authorization}
  local body = nil
  if plan.body ~= "" then
    headers["Content-Type"] = "application/json"
    headers["Idempotency-Key"] = plan.prefix .. sent
    body = filled(plan.body)
  end
  return wrk.format(plan.method, filled(plan.path), headers, body)
end

function response(status, _, body)
  answered = answered + 1
  if status < 200 or status > 299 then
    failed = failed + 1
    if first == "" then
      first = status .. " " .. string.sub(body, 1, 300)
    end
  end
end

function done(summary, latency, _)
  local bad, what, all = 0, "", 0
  for _, thread in ipairs(threads) do
    bad = bad + thread:get("failed")
    all = all + thread:get("answered")
    if what == "" then
      what = thread:get("first")
    end
  end
  local errors = summary.errors
  local lost = errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format("\nresult %d %d %d %d %d %d %d %d\n%s\n", all, summary.duration,
    bad, lost, latency:percentile(50), latency:percentile(95), latency:percentile(99),
    latency.max, what))
end
