-- As keys.lua, for routes that are not there: bench-layers/nothing-<n>/prod/v1.
local count = 1000

function init(args)
    count = tonumber(args[1]) or count
    wrk.headers["Authorization"] = "Bearer " .. (args[2] or "")
end

function request()
    return wrk.format("GET", "/api/v1/resolve/bench-layers/nothing-" .. math.random(0, count - 1) .. "/prod/v1")
end
