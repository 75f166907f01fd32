# SPDX-License-Identifier: MIT
# Hashes of records, long strings cut and joined, sorting: what scripts do.
Entry = Struct.new(:name, :size, :tags, :note)
total = 0
3.times do |round|
  entries = Array.new(12_000) do |i|
    Entry.new("user-#{i * round}", i % 97, ["tag#{i % 7}", "label#{i % 11}"], "note " * (i % 60))
  end
  by_size = entries.group_by(&:size)
  lines = by_size.keys.sort.flat_map do |size|
    by_size[size].sort_by(&:name).map { |e| "#{e.name.upcase}:#{e.tags.join(',')}:#{e.note}" }
  end
  counts = Hash.new(0)
  lines.join("\n").scan(/[A-Za-z]+/) { |word| counts[word] += 1 }
  total += counts.values.sum + lines.sum(&:size)
end
puts total
