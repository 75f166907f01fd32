#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# lua: tables, strings and the collector, all of it through realloc.
# shellcheck source=common.bash
. "$(dirname "$0")/common.bash"
need lua5.4
cat >"$scratch/work.lua" <<'LUA'
local x = 42
local function rnd(n) x = (x * 1103515245 + 12345) % 2147483648; return (x >> 8) % n end
local t = {}
for i = 1, 300000 do t[rnd(20000)] = ("s"):rep(rnd(100)) .. i; if i % 3 == 0 then t[rnd(20000)] = nil end end
local sum, count = 0, 0
for i = 0, 19999 do if t[i] then sum = sum + #t[i]; count = count + 1 end end
print(count, sum)
local parts = {}
for i = 1, 100000 do parts[#parts + 1] = tostring(i * 7) end
local text = table.concat(parts, " ")
print(#text, select(2, text:gsub("77", "x")))
local function tree(d) if d == 0 then return {} end return {tree(d - 1), tree(d - 1)} end
local function size(n) if not n[1] then return 1 end return 1 + size(n[1]) + size(n[2]) end
for d = 4, 16, 4 do print(d, size(tree(d))) end
local threads = {}
for i = 1, 2000 do threads[i] = coroutine.wrap(function() local l = {} for j = 1, 50 do l[j] = {} coroutine.yield(j) end end) end
local total = 0
for round = 1, 50 do for i = 1, #threads do total = total + threads[i]() end end
print(total)
collectgarbage() print(collectgarbage("count") > 0)
LUA
active lua5.4 -e 'x=1'
same lua5.4 "$scratch/work.lua" </dev/null
