// SPDX-License-Identifier: MIT
// profile_throw.cc — what the stress of the profiler needs C++ for: an exception that is thrown some frames
// deep, past objects whose destructors free.
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>

namespace {

struct Block {
    void *p = std::malloc(500);
    Block() = default;
    Block(const Block &) = delete;
    ~Block()
    {
        std::free(p);
    }
};

__attribute__((noinline)) void
throw_below(int depth, void (*work)(void *), void *arg)
{
    Block block;
    std::string text(100 + static_cast<size_t>(depth), 'x');
    if (depth == 0) {
        work(arg);
        throw std::runtime_error(text);
    }
    throw_below(depth - 1, work, arg);
    __asm__ volatile("" : : "r"(block.p));
}

} // namespace

// Works `depth` frames down, throws there and catches here; false when that is not what came.
extern "C" bool
throw_and_catch(int depth, void (*work)(void *), void *arg)
{
    try {
        throw_below(depth, work, arg);
    } catch (const std::runtime_error &error) {
        return std::string(error.what()).size() == 100;
    }
    return false;
}
