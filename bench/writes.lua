-- Every request changes a route of one of the tenants bench-writes-<n>, n below the first argument, to a new
-- URL, with the access key in the second.
local count = 1
local number = 0
local key = ""

function init(args)
    count = tonumber(args[1]) or count
    key = args[2] or ""
    math.randomseed(os.time())
    number = math.random(1, 1000000) * 1000
end

function request()
    number = number + 1
    local path = "/api/v1/tenants/bench-writes-" .. (number % count) .. "/routes/service-" .. (number % 97) .. "/prod/v1"
    local headers = {["Content-Type"] = "application/json", ["Authorization"] = "Bearer " .. key}
    return wrk.format("PUT", path, headers, '{"url": "http://bench/' .. number .. '"}')
end
