-- SPDX-License-Identifier: MIT
-- A database in memory: filled, indexed, joined, grouped, updated, emptied.
PRAGMA journal_mode = MEMORY;
CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, city TEXT, score REAL);
CREATE TABLE events (id INTEGER PRIMARY KEY, user INTEGER, kind TEXT, note TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
INSERT INTO users SELECT i, 'user-' || i, 'city ' || (i * 7919 % 997), i * 31 % 10007 / 7.0 FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 160000)
INSERT INTO events SELECT i, 1 + i * 104729 % 60000, 'kind ' || (i % 13),
    substr('a long note about something', 1, i % 27) FROM n;
CREATE INDEX events_user ON events (user);
CREATE INDEX users_city ON users (city, score);
SELECT count(*), sum(length(name || note)) FROM users JOIN events ON events.user = users.id WHERE kind <> 'kind 3';
SELECT sum(c), max(s) FROM (SELECT city, count(*) AS c, group_concat(name) AS s FROM users GROUP BY city ORDER BY city);
UPDATE events SET note = upper(note) || kind WHERE id % 3 = 0;
SELECT count(DISTINCT note), count(DISTINCT substr(name, 1, 7)) FROM users JOIN events ON events.user = users.id;
DELETE FROM events WHERE user % 2 = 0;
SELECT count(*), total(length(note)) FROM events;
