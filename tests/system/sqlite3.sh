#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# sqlite3: a hundred thousand rows, an index, joins, text search, updates, a vacuum; in memory and in a file.
# shellcheck source=common.bash
. "$(dirname "$0")/common.bash"
need sqlite3
cat >"$scratch/work.sql" <<'SQL'
create table item (id integer primary key, kind integer, name text, price real);
create table kind (id integer primary key, label text);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 100000)
    insert into item select i, (i * 7919) % 500, 'name-' || ((i * 104729) % 65537), (i * 31 % 10007) / 100.0 from n;
with recursive n(i) as (select 0 union all select i + 1 from n where i < 499) insert into kind select i, 'kind ' || i from n;
create index item_kind on item (kind, price);
create index item_name on item (name);
select count(*), sum(price), min(name), max(name) from item;
select k.label, count(*), round(avg(i.price), 3) from item i join kind k on k.id = i.kind group by k.id order by 2 desc, 1 limit 20;
select a.name, count(*) from item a join item b on a.name = b.name and a.id < b.id group by a.name order by 2 desc, 1 limit 20;
select count(*) from item where name like '%77%';
select group_concat(id) from (select id from item order by price desc, id limit 100);
update item set name = name || '-' || hex(kind) where id % 3 = 0;
delete from item where id % 5 = 0;
select count(*), sum(length(name)) from item;
with recursive t(i, s) as (select 1, 'x' union all select i + 1, s || 'yz' from t where i < 3000) select max(length(s)) from t;
vacuum;
pragma integrity_check;
SQL
active sqlite3 :memory: 'select 1'
same sqlite3 :memory: <"$scratch/work.sql"
same sh -c "rm -f '$scratch/file.db'; sqlite3 '$scratch/file.db'" <"$scratch/work.sql"
