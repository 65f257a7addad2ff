-- As keys.lua, with a `traceparent` of its own in every request, as instrumented callers send it. The name is "sampled" or
-- "unsampled": the flag of all of them.
local count = 1000
local flag = "00"

function init(args)
    count = tonumber(args[1]) or count
    wrk.headers["Authorization"] = "Bearer " .. (args[2] or "")
    if args[3] == "sampled" then flag = "01" end
end

local function hex(digits)
    local text = {}
    for number = 1, digits / 4 do text[number] = string.format("%04x", math.random(1, 65535)) end
    return table.concat(text)
end

function request()
    wrk.headers["traceparent"] = "00-" .. hex(32) .. "-" .. hex(16) .. "-" .. flag
    return wrk.format("GET", "/api/v1/resolve/bench-layers/service-" .. math.random(0, count - 1) .. "/prod/v1")
end
