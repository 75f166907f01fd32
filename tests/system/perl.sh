#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# perl: hashes, strings that grow, regular expressions, sorting, fork and pipes.
# shellcheck source=common.bash
. "$(dirname "$0")/common.bash"
need perl
cat >"$scratch/work.pl" <<'PL'
use strict; use warnings;
my $x = 12345;
sub rnd { $x = ($x * 1103515245 + 12345) % 2147483648; return int($x / 65536) % $_[0]; }
my %table;
for my $i (1 .. 200000) { my $key = "key" . rnd(5000); $table{$key} .= chr(97 + rnd(26)); delete $table{"key" . rnd(5000)} if $i % 7 == 0; }
my $sum = 0;
for my $key (sort keys %table) { $sum = ($sum * 31 + length($table{$key}) + ord($table{$key})) % 1000000007; }
print scalar(keys %table), " $sum\n";
my $text = join " ", map { "word$_" x (1 + rnd(5)) } 1 .. 20000;
my $count = () = $text =~ /(\w+?)9(\w*)/g;
(my $swapped = $text) =~ s/(\d)(\d)/$2$1/g;
print "$count ", length($swapped), " ", unpack("%32C*", $swapped), "\n";
my @lists = map { my $n = $_; [map { $n * $_ } 1 .. rnd(200)] } 1 .. 2000;
print scalar(grep { @$_ % 2 } @lists), "\n";
my $grown = ""; $grown .= "x" x $_ for 1 .. 3000; print length($grown), "\n";
for my $i (1 .. 20) {
    my $pid = open(my $pipe, "-|") // die;
    if (!$pid) { my @a = map { "a" x $_ } 1 .. 1000; print scalar(@a), " from child $i\n"; exit 0; }
    print while <$pipe>; close($pipe) or die;
}
print join(",", (sort { $a <=> $b } map { rnd(1000000) } 1 .. 50000)[0, 777, 49999]), "\n";
PL
active perl -e 1
same perl "$scratch/work.pl" </dev/null
