#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Tests that others wrote for their programs, and that Debian has in its sources only: those of redis and of perl, run with
# Debian's own binaries. What fails with the library must fail without it, too. PROGRAMS="redis" picks some.
# label: long
# timeout: 7200
# shellcheck source=common.bash
. "$(dirname "$0")/common.bash"
# shellcheck source=sources.bash
. "$here/sources.bash"
need apt-get dpkg-query tclsh redis-server perl

# judge <program> <what passed> <file with failures under the library> <command that prints those without it>
judge() {
    echo "$1: $2"
    [ -s "$3" ] || return 0
    local only
    "${@:4}" | sort >"$scratch/plain"
    echo "$1: failing without the library, too: $(comm -12 "$3" "$scratch/plain" | tr '\n' ' ')"
    only=$(comm -23 "$3" "$scratch/plain" | tr '\n' ' ')
    [ -z "$only" ] || fail "$1: failing with the library only: $only"
}

# The units of redis that allocate in each of its ways, with child processes that save.
redis_failures() {
    local units unit
    units=$(cd "$scratch/redis/tests" && ls unit/type/*.tcl unit/{expire,scan,sort,multi,scripting,hyperloglog,bitops,geo}.tcl \
        unit/{lazyfree,maxmemory,other,pubsub,keyspace,functions,aofrw}.tcl integration/{aof,rdb}.tcl | sed 's/\.tcl$//')
    units=${REDIS_UNITS:-$units}
    : >"$scratch/redis.log"
    for unit in $units; do
        (cd "$scratch/redis" && env "$@" timeout 900 tclsh tests/test_helper.tcl --clients 1 --single "$unit") \
            >"$scratch/redis.unit" 2>&1 || echo "$unit"
        cat "$scratch/redis.unit" >>"$scratch/redis.log"
    done
}

redis() {
    sources redis redis-server || { echo "redis: no sources: $(tail -n 1 "$scratch/apt/log")" && return; }
    for name in server cli benchmark check-aof check-rdb; do
        ln -sf "$(command -v redis-$name)" "$scratch/redis/src/redis-$name"
    done
    redis_failures LD_PRELOAD="$LIB" | sort >"$scratch/ours"
    judge redis "$(grep -c '\[ok\]' <(sed 's/\x1b\[[0-9;]*m//g' "$scratch/redis.log")) tests pass" "$scratch/ours" redis_failures X=
    tried=$((tried + 1))
}

perl_failures() {
    # What tries every case of a regular expression's options takes hours.
    (cd "$scratch/perl/t" && env "$@" timeout 3600 ./perl TEST ${PERL_TESTS:-base/*.t cmd/*.t mro/*.t op/*.t \
        $(ls re/*.t | grep -v 'grind\|psycho\|uniprops')}) >"$scratch/perl.log" 2>&1 </dev/null || true
    sed -nE 's/^(t\/[^ ]+) \.+ *(.*)$/\1 \2/p' "$scratch/perl.log" | sed -E '/ (ok|skipped)/d; s/ .*//'
}

# Perl's own tests take its modules from the sources, where those that are built are missing: Debian's are put there.
perl() {
    sources perl perl-base || { echo "perl: no sources: $(tail -n 1 "$scratch/apt/log")" && return; }
    rm -rf "$scratch/perl/lib" && mkdir "$scratch/perl/lib"
    for from in $(command perl -MConfig -e 'print "$Config{privlib} $Config{archlib}"'); do
        cp -rsf "$(readlink -f "$from")/." "$scratch/perl/lib"
    done
    ln -sf "$(type -P perl)" "$scratch/perl/t/perl"
    perl_failures LD_PRELOAD="$LIB" | sort >"$scratch/ours"
    judge perl "$(grep -cE ' \.+ *ok' "$scratch/perl.log") files of tests pass" "$scratch/ours" perl_failures X=
    tried=$((tried + 1))
}

tried=0
for program in ${PROGRAMS:-redis perl}; do
    "$program"
done
[ "$tried" -gt 0 ] || { echo "SKIP: no sources" && exit 77; }
