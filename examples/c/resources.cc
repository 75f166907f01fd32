// SPDX-License-Identifier: MIT
// resources.cc — containers of std::pmr in a heap of their own.
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include <mimalloc-pmr.h>

int
main()
{
    std::size_t words = 0;
    {
        mi_heap_memory_resource resource; // destroyed last, with whatever is still in it
        std::pmr::map<std::pmr::string, std::pmr::vector<int>> index(&resource);
        for (int i = 0; i < 1000; i++) {
            std::pmr::string name("a word that is too long for the string itself, number ", &resource);
            name += std::to_string(i % 50).c_str();
            index[name].push_back(i);
        }
        words = index.size();
        if (mi_usable_size(index.begin()->second.data()) == 0) {
            return 1; // not of the library's
        }
    }
    std::printf("%zu words\n", words);
    return words == 50 ? 0 : 1;
}
