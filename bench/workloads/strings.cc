// SPDX-License-Identifier: MIT
// strings.cc — text in C++: words counted in a hash map, an ordered index, lines split and joined.
//
// What an ordinary C++ program does to its allocator: strings too long for their inline buffer, map
// nodes, vectors that grow, and deletes that know the size.
#include "workload.h"

#include <algorithm>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

namespace {

enum { VOCABULARY = 20000, LINES = 5500, WORDS_PER_LINE = 30, PARTS = 6 };

std::string
make_word(uint64_t *random)
{
    std::string word;
    size_t length = random_between(random, 3, 28);
    for (size_t i = 0; i < length; i++) {
        word += static_cast<char>('a' + random_below(random, 26));
    }
    return word;
}

std::vector<std::string>
split(const std::string &line)
{
    std::vector<std::string> words;
    size_t start = 0;
    for (size_t end; (end = line.find(' ', start)) != std::string::npos; start = end + 1) {
        words.push_back(line.substr(start, end - start));
    }
    return words;
}

uint64_t
hash(const std::string &text)
{
    uint64_t h = 14695981039346656037u; // FNV-1a
    for (char c : text) {
        h = (h ^ static_cast<unsigned char>(c)) * 1099511628211u;
    }
    return h;
}

uint64_t
one_part(uint64_t *random, const std::vector<std::string> &vocabulary, long lines)
{
    std::unordered_map<std::string, long> counts;
    std::map<std::string, std::vector<long>> index;
    for (long number = 0; number < lines; number++) {
        std::string line;
        for (int i = 0; i < WORDS_PER_LINE; i++) {
            // The square makes some words frequent and most rare, as in a text.
            size_t pick = random_below(random, VOCABULARY);
            line += vocabulary[pick * pick / VOCABULARY] + ' ';
        }
        for (std::string &word : split(line)) {
            counts[word]++;
            index[word].push_back(number);
        }
    }
    std::vector<std::pair<long, std::string>> ranking;
    for (const auto &entry : counts) {
        ranking.emplace_back(-entry.second, entry.first);
    }
    std::sort(ranking.begin(), ranking.end());
    std::string report;
    for (const auto &entry : ranking) {
        report += entry.second + ": " + std::to_string(-entry.first) + " times, first in line " +
                  std::to_string(index[entry.second].front()) + "\n";
    }
    return hash(report);
}

} // namespace

uint64_t
workload(workload_t *w)
{
    uint64_t random = random_seed(0), sum = 0;
    std::vector<std::string> vocabulary;
    for (int i = 0; i < VOCABULARY; i++) {
        vocabulary.push_back(make_word(&random));
    }
    for (int part = 0; part < PARTS; part++) {
        sum += one_part(&random, vocabulary, scaled(w, LINES / PARTS));
    }
    return sum;
}
