// SPDX-License-Identifier: MIT
// service.cc — a service that grows: sessions come and go, and one line keeps what it should not.
//
//   g++ -O2 -g -o service service.cc -pthread && mimalloc run ./service 60
//
// The argument is how many seconds it runs; without it, for ever.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace {

struct Session {
    std::string user;
    std::vector<std::string> pages;
};

// Sessions by their number. One that ends goes.
class Sessions {
  public:
    Session &open(unsigned number)
    {
        auto &session = sessions_[number];
        session = std::make_unique<Session>();
        session->user = "user-" + std::to_string(number) + "@a-rather-long-name.example";
        return *session;
    }
    const Session &find(unsigned number) const
    {
        return *sessions_.at(number);
    }
    void close(unsigned number)
    {
        sessions_.erase(number);
    }

  private:
    std::map<unsigned, std::unique_ptr<Session>> sessions_;
};

// What has happened, to be written to a file some day.
class Audit {
  public:
    void record(const Session &session)
    {
        entries_.push_back(session.user + " has ended, after " + std::to_string(session.pages.size()));
    }

  private:
    std::vector<std::string> entries_; // nobody ever takes one out
};

class Service {
  public:
    void request(unsigned number)
    {
        std::lock_guard<std::mutex> lock(mutex_);
        Session &session = sessions_.open(number);
        for (unsigned page = 0; page < 20; page++) {
            session.pages.push_back("page " + std::to_string(page) + std::string(number % 500, '.'));
        }
        if (number >= OPEN) {
            finish(number - OPEN);
        }
    }

  private:
    static constexpr unsigned OPEN = 100; // sessions at a time

    void finish(unsigned number)
    {
        audit_.record(sessions_.find(number));
        sessions_.close(number);
    }

    std::mutex mutex_;
    Sessions sessions_;
    Audit audit_;
};

} // namespace

int
main(int argc, char **argv)
{
    Service service;
    const auto end =
        std::chrono::steady_clock::now() + std::chrono::seconds(argc > 1 ? std::atoi(argv[1]) : 1 << 30);
    for (unsigned number = 0; std::chrono::steady_clock::now() < end; number++) {
        service.request(number);
        if (number % 20 == 0) {
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
    }
    std::puts("done");
    return 0;
}
