#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# gcc: a large generated C file at -O1 gives the same assembly; and a C++ file where there is a C++ compiler.
# shellcheck source=common.bash
. "$(dirname "$0")/common.bash"
need gcc awk
awk 'BEGIN {
    print "#include <stdio.h>\n#include <string.h>\nstruct node { struct node *next; int key; double value; char name[32]; };"
    for (i = 0; i < 500; i++) {
        printf "static int f%d(struct node *n, int x)\n{\n    int sum = %d;\n", i, i
        printf "    for (struct node *p = n; p; p = p->next) {\n        switch (p->key %% 7) {\n"
        for (j = 0; j < 6; j++) printf "        case %d: sum += x * %d + (int)p->value; break;\n", j, i * j + 1
        printf "        default: sum ^= (int)strlen(p->name);\n        }\n    }\n"
        if (i > 0) printf "    return sum > 0 ? f%d(n, sum - 1) : sum;\n}\n", i - 1
        else printf "    return sum;\n}\n"
    }
    print "int main(void)\n{\n    struct node n = {0, 3, 1.5, \"n\"};\n    printf(\"%d\\n\", f499(&n, 2));\n    return 0;\n}"
}' >"$scratch/large.c"
active gcc --version
same gcc -O1 -g -S -o - "$scratch/large.c" </dev/null
preloaded gcc -O1 -o "$scratch/large" "$scratch/large.c"
same "$scratch/large" </dev/null
if command -v g++ >/dev/null; then
    cat >"$scratch/large.cc" <<'CC'
#include <algorithm>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <regex>
#include <string>
#include <vector>
int main()
{
    std::map<std::string, std::vector<std::unique_ptr<int>>> table;
    for (int i = 0; i < 100000; i++)
        table[std::to_string(i % 777)].push_back(std::make_unique<int>(i));
    long sum = 0;
    for (auto &entry : table)
        sum += std::count_if(entry.second.begin(), entry.second.end(), [](auto &p) { return *p % 3 == 0; });
    std::cout << sum << ' ' << std::regex_replace(std::string("a1b22"), std::regex("[0-9]+"), "#") << '\n';
    try {
        std::vector<int> v;
        v.at(3) = 1;
    } catch (const std::exception &e) {
        std::cout << e.what() << '\n';
    }
}
CC
    same g++ -O1 -S -o - "$scratch/large.cc" </dev/null
    preloaded g++ -O1 -o "$scratch/large" "$scratch/large.cc"
    same "$scratch/large" </dev/null
fi
