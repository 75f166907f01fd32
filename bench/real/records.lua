-- SPDX-License-Identifier: MIT
-- Tables of records, strings cut and joined, closures: what scripts do.
local total = 0
for round = 1, 5 do
    local records, index = {}, {}
    for i = 1, 20000 do
        local name = "user-" .. i * round
        records[i] = { name = name, size = i % 97, tags = { "a" .. i % 7, "b" .. i % 11 }, next = records[i - 1] }
        index[name] = records[i]
    end
    table.sort(records, function(a, b)
        return a.size == b.size and a.name < b.name or a.size < b.size
    end)
    local parts = {}
    for i, r in ipairs(records) do
        parts[#parts + 1] = r.name:upper() .. ":" .. table.concat(r.tags, ",")
        records[i].next = nil
    end
    for word in table.concat(parts, " "):gmatch("%u+%-(%d+)") do
        total = total + tonumber(word) % 1000
    end
end
print(total)
