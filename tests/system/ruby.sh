#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# ruby: strings, hashes, threads, the collector with compaction (aligned heap pages), fork.
# shellcheck source=common.bash
. "$(dirname "$0")/common.bash"
need ruby
cat >"$scratch/work.rb" <<'RB'
x = 99
rnd = ->(n) { x = (x * 1103515245 + 12345) % 2147483648; (x / 256) % n }
table = {}
200_000.times { |i| table["key#{rnd.(5000)}"] = "v" * rnd.(120) + i.to_s; table.delete("key#{rnd.(5000)}") if i % 5 == 0 }
puts table.size, table.values.sum(&:size)
text = (1..50_000).map { |i| i * 7 }.join(" ")
puts text.size, text.scan(/7(\d)/).size, text.gsub(/(\d)(\d)/, '\2\1').sum
s = +""
20_000.times { |i| s << i.to_s }
puts s.size
threads = 6.times.map { |n| Thread.new { a = Array.new(20_000) { |i| "#{n}-#{i}" }; a.sort.first(3).join + a.size.to_s } }
puts threads.map(&:value)
GC.start
GC.compact if GC.respond_to?(:compact)
5.times do |i|
  r, w = IO.pipe
  pid = fork { r.close; w.puts Array.new(10_000) { |j| j.to_s * 3 }.join.size + i; w.close; exit!(0) }
  w.close
  puts r.read
  Process.wait(pid)
end
puts (1..300).inject(:*).to_s.size
RB
active ruby -e 1
same ruby "$scratch/work.rb" </dev/null
