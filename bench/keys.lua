-- Every request resolves another one of the routes bench-layers/service-<n>/prod/v1, n below the first argument, with the
-- access key in the second.
local count = 1000

function init(args)
    count = tonumber(args[1]) or count
    wrk.headers["Authorization"] = "Bearer " .. (args[2] or "")
end

function request()
    return wrk.format("GET", "/api/v1/resolve/bench-layers/service-" .. math.random(0, count - 1) .. "/prod/v1")
end
