-- Requests for wrk: the same bodies as bodies.py. Arguments: kind customers key seed base_ms tool
local kind, customers, key, tool
local base, count = 0, 0
local ring, RING = {}, 150
local MODERN = "2026-07-28"

local function new_id()
  count = count + 1
  local ms = base + math.floor(count / 8)
  local high = math.floor(ms / 65536)
  return string.format("%08x-%04x-7%03x-8%03x-%06x%06x", high, ms - high * 65536,
    math.random(0, 0xfff), math.random(0, 0xfff), math.random(0, 0xffffff),
    math.random(0, 0xffffff))
end

local function who()
  return string.format("c%05d", math.random(0, customers - 1))
end

local function post(path, body)
  local more = ""
  if tool ~= "" then
    more = "Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: " .. MODERN ..
      "\r\nMcp-Method: tools/call\r\nMcp-Name: " .. tool .. "\r\n"
  end
  return "POST " .. path .. " HTTP/1.1\r\nHost: 127.0.0.1\r\nX-CREDYT-API-KEY: " .. key ..
    "\r\nContent-Type: application/json\r\n" .. more .. "Content-Length: " .. #body ..
    "\r\n\r\n" .. body
end

local function event(costed)
  local id, cost = new_id(), ""
  if costed then
    cost = ',"costs":[{"id":"' .. id .. '","vendor_external_id":"bench-vendor",' ..
      '"amount":0.00125,"currency":"USD"}]'
  end
  return '{"id":"' .. id ..
    '","event_type":"chat","data":{"model":"small","tokens":1234}' .. cost .. '}'
end

local function events(number, costed)
  local list = {}
  for index = 1, number do list[index] = event(costed) end
  return post("/events", '{"customer_external_id":"' .. who() .. '","events":[' ..
    table.concat(list, ",") .. ']}')
end

local meta = ',"_meta":{"io.modelcontextprotocol/protocolVersion":"' .. MODERN ..
  '","io.modelcontextprotocol/clientInfo":{"name":"bench","version":"1"},' ..
  '"io.modelcontextprotocol/clientCapabilities":{}}'

local makers = {
  event = function() return events(1, false) end,
  costed = function() return events(1, true) end,
  batch = function() return events(100, false) end,
  mcp = function()
    return post("/mcp", '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"' ..
      tool .. '","arguments":{"customer_id":"' .. who() .. '","id":"' .. new_id() ..
      '","event_type":"chat","data":{"model":"small","tokens":1234}}' .. meta .. '}}')
  end,
}

-- Authorize and capture in turn. A capture is of the authorization that was sent 150 before: with
-- at most 50 requests under way, that one has been answered.
local due, sent = nil, 0
makers.hold = function()
  if due ~= nil then
    local path = "/authorizations/" .. due .. "/capture"
    due = nil
    return post(path, '{"event":' .. event(false) .. '}')
  end
  local id, slot = new_id(), sent % RING
  -- wrk asks for one request that it never sends, to look at it.
  if sent > 0 then due, ring[slot] = ring[slot], id end
  sent = sent + 1
  return post("/authorizations", '{"id":"' .. id .. '","customer_external_id":"' .. who() ..
    '","event_type":"chat","data":{"model":"small","tokens":2000}}')
end

function init(args)
  kind, customers, key = args[1], tonumber(args[2]), args[3]
  math.randomseed(tonumber(args[4]))
  base, tool = tonumber(args[5]), args[6] or ""
  if tool == "-" then tool = "" end
end

function request() return makers[kind]() end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\nJSON {"requests":%d,"seconds":%f,"p50_ms":%f,"p99_ms":%f,"failed":%d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3,
    errors.status + errors.connect + errors.read + errors.write + errors.timeout))
end
