-- Every request resolves a thousand of the routes bench-layers:service-<n>:prod:v1, n below the first argument, with the
-- access key in the second.
local bodies = {}

function init(args)
    local count = tonumber(args[1]) or 1000
    wrk.method = "POST"
    wrk.headers["Content-Type"] = "application/json"
    wrk.headers["Authorization"] = "Bearer " .. (args[2] or "")
    for body = 1, 20 do
        local keys = {}
        for key = 1, 1000 do
            keys[key] = '"bench-layers:service-' .. math.random(0, count - 1) .. ':prod:v1"'
        end
        bodies[body] = '{"keys":[' .. table.concat(keys, ",") .. "]}"
    end
end

function request()
    return wrk.format(nil, "/api/v1/resolve", nil, bodies[math.random(#bodies)])
end
