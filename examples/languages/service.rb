# SPDX-License-Identifier: MIT
# Documents in four threads, nine tenths of which go again (see run.py).
require 'json'

cache, lock = {}, Mutex.new
threads = (0...4).map do |n|
  Thread.new do
    random = n
    15_000.times do
      random = (random * 1_103_515_245 + 12_345) & 0x7fffffff
      text = JSON.generate(id: random, tags: (0...12).map { |k| (random % (k + 3)).to_s }, text: 'x' * (random % 2000))
      document = JSON.parse(text)
      lock.synchronize { cache[random % 40_000] = document }
    end
  end
end
threads.each(&:join)
cache.delete_if { |key, _| key % 10 != 0 }
GC.start
puts "done #{cache.size}"
$stdout.flush
$stdin.gets
