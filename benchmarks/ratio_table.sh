#!/bin/sh
# Prints the README's table for the given files: sizes by zstd -19, xz -9e and pith, and pith's speed both ways.
#
#   benchmarks/ratio_table.sh FILE...        (PITH=path/to/pith, default build/pith; THREADS=n, default 2)
#
# Every archive is decoded by a second process and compared before its line is printed.
set -eu
pith=${PITH:-build/pith}
threads=${THREADS:-2}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

now() { date +%s.%N; }

echo "| file | bytes | zstd -19 | xz -9e | pith | bits per byte | of zstd's size | compress KB/s | decompress KB/s |"
echo "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
for file in "$@"; do
  bytes=$(wc -c < "$file")
  zstd_bytes=$(zstd -19 -q -c < "$file" | wc -c)
  xz_bytes=$(xz -9e -c < "$file" | wc -c)
  t0=$(now)
  "$pith" compress -q -f -T"$threads" "$file" -o "$work/a.pith"
  t1=$(now)
  "$pith" decompress -q -f -T"$threads" "$work/a.pith" -o "$work/copy"
  t2=$(now)
  cmp "$file" "$work/copy"
  pith_bytes=$(wc -c < "$work/a.pith")
  awk -v f="$(basename "$file")" -v n="$bytes" -v z="$zstd_bytes" -v x="$xz_bytes" -v p="$pith_bytes" -v t0="$t0" \
      -v t1="$t1" -v t2="$t2" 'BEGIN {
    printf "| %s | %d | %d | %d | %d | %.3f | %.0f %% | %.0f | %.0f |\n", f, n, z, x, p, 8 * p / n, 100 * p / z,
           n / 1000 / (t1 - t0), n / 1000 / (t2 - t1) }'
done
