#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# git: commits, branches, a merge, log, blame, grep, gc and fsck; equal commit ids prove equal contents.
# shellcheck source=common.bash
. "$(dirname "$0")/common.bash"
need git
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 HOME=$scratch
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.com GIT_AUTHOR_DATE="2020-01-01T00:00:00Z"
export GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@example.com GIT_COMMITTER_DATE="2020-01-01T00:00:00Z"
cat >"$scratch/work.sh" <<'SH'
set -e
dir=$(mktemp -d "$HOME/repo.XXXXXX")
cd "$dir"
git init -q -b main .
for i in 1 2 3 4 5 6 7 8; do
    for j in $(seq 1 60); do seq $((i * j)) $((i * j * 3)) >"file$j"; done
    git add . && git commit -q -m "commit $i"
done
git checkout -q -b side HEAD~3
seq 1 50000 >other && git add other && git commit -q -m side
git checkout -q main && git merge -q -m merge side
git log --stat --format='%H %s' | cat
git blame file7 | tail -3
git grep -c 77 | tail -5
git diff HEAD~4 --shortstat
git gc -q --aggressive --prune=now
git fsck --strict && git count-objects -v | grep -E '^(in-pack|garbage|count)'
git clone -q . copy && git -C copy rev-parse HEAD
cd / && rm -rf "$dir"
SH
active git --version
same sh "$scratch/work.sh" </dev/null
