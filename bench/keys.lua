-- Every request resolves a random one of the routes bench-layers/<name>-<n>/prod/v1. Arguments: the number of routes, the
-- access key, and the name: "service" for the seeded routes (the default), anything else for routes that do not exist.
local count = 1000
local name = "service"

function init(args)
    count = tonumber(args[1]) or count
    name = args[3] or name
    wrk.headers["Authorization"] = "Bearer " .. (args[2] or "")
end

function request()
    return wrk.format("GET", "/api/v1/resolve/bench-layers/" .. name .. "-" .. math.random(0, count - 1) .. "/prod/v1")
end
