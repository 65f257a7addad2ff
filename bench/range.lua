-- Every request asks etcd's JSON gateway for one of the keys route-<n>, n below the first argument, picked at random.
local count = 1
local letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

local function base64(text)
    local bits = text:gsub(".", function(letter)
        local byte, binary = letter:byte(), ""
        for place = 7, 0, -1 do
            binary = binary .. math.floor(byte / 2 ^ place) % 2
        end
        return binary
    end)
    bits = bits .. ("0"):rep(-#bits % 6)
    local encoded = bits:gsub("%d%d%d%d%d%d", function(six)
        local place = tonumber(six, 2) + 1
        return letters:sub(place, place)
    end)
    return encoded .. ("="):rep(-#encoded % 4)
end

local requests = {}

function init(args)
    count = tonumber(args[1]) or count
    math.randomseed(os.time())
    -- Made once: the making must not slow down the asking.
    for number = 0, count - 1 do
        requests[number] = wrk.format("POST", "/v3/kv/range", {["Content-Type"] = "application/json"},
            '{"key": "' .. base64("route-" .. number) .. '"}')
    end
end

function request()
    return requests[math.random(0, count - 1)]
end
