#!/bin/sh
# Prints what each level makes of the given files together: bytes, ratio, and speed both ways; zstd -19 and xz -9e beside.
#
#   benchmarks/level_table.sh FILE...        (PITH=path/to/pith, default build/pith; THREADS=n, default 2; LEVELS="1 2 6 7")
#
# Every archive is decoded and compared. Levels that are the same for these files (3 as 2, 4 and 5 as 6, 8 as 7, 9 as 7 unless a
# larger model is installed) are left out.
set -eu
pith=${PITH:-build/pith}
threads=${THREADS:-2}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

now() { date +%s.%N; }

total=$(cat "$@" | wc -c)
echo "| | bytes | of the original | compress KB/s | decompress KB/s |"
echo "| --- | ---: | ---: | ---: | ---: |"
row() {
  awk -v l="$1" -v n="$total" -v p="$2" -v c="$3" -v d="$4" 'BEGIN {
    printf "| %s | %d | %.1f %% | %.0f | %.0f |\n", l, p, 100 * p / n, n / 1000 / c, n / 1000 / d }'
}
# try NAME COMPRESS DECOMPRESS: commands from standard input to standard output.
try() {
  bytes=0 compress=0 decompress=0
  name=$1 how=$2 back=$3
  shift 3
  for file in "$@"; do
    t0=$(now)
    $how < "$file" > "$work/a"
    t1=$(now)
    $back < "$work/a" > "$work/copy"
    t2=$(now)
    cmp "$file" "$work/copy"
    bytes=$((bytes + $(wc -c < "$work/a")))
    compress=$(awk -v s="$compress" -v a="$t0" -v b="$t1" 'BEGIN { print s + b - a }')
    decompress=$(awk -v s="$decompress" -v a="$t1" -v b="$t2" 'BEGIN { print s + b - a }')
  done
  row "$name" "$bytes" "$compress" "$decompress"
}

try "zstd -19" "zstd -19 -q -c" "zstd -d -q -c" "$@"
try "xz -9e" "xz -9e -c" "xz -d -c" "$@"
for level in ${LEVELS:-1 2 6 7}; do
  try "pith -$level" "$pith -q -c -T$threads -$level" "$pith -d -q -c -T$threads" "$@"
done
