#!/bin/sh
# Prints archive bytes by class of text: pith, zstd -19, xz -9e, and zpaq -m5 where it is installed. One row a class, and
# with FILES=1 one row a file.
#
#   benchmarks/class_totals.sh CLASS FILE... [-- CLASS FILE...]...      (PITH=path/to/pith, default build/pith)
#
# The model is not counted, as the other programs' code is not. Archives are not decoded here: pith bench does that.
set -eu
pith=${PITH:-build/pith}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
zpaq=$(command -v zpaq || true)

print_class() {
  [ "$count" -gt 0 ] || return 0
  awk -v c="$class" -v k="$count" -v n="$sum" -v p="$sum_pith" -v z="$sum_zstd" -v x="$sum_xz" -v q="$sum_zpaq" 'BEGIN {
    printf "| %s | %d | %d | %d | %.3f | %d | %.3f | %d | %.3f | %s | %s |\n", c, k, n, p, 8 * p / n, z, p / z, x, p / x,
           q ? q : "-", q ? sprintf("%.3f", p / q) : "-" }'
}
begin_class() { class=$1 count=0 sum=0 sum_pith=0 sum_zstd=0 sum_xz=0 sum_zpaq=0; }

echo "| class | files | bytes | pith | bits per byte | zstd -19 | pith / zstd | xz -9e | pith / xz | zpaq -m5 | pith / zpaq |"
echo "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
begin_class ""
while [ $# -gt 0 ]; do
  if [ -z "$class" ]; then begin_class "$1"; shift; continue; fi
  if [ "$1" = "--" ]; then print_class; begin_class ""; shift; continue; fi
  file=$1
  shift
  n=$(wc -c < "$file")
  "$pith" compress -k -q -f ${LEVEL:-} "$file" -o "$work/a.pith"
  p=$(wc -c < "$work/a.pith")
  z=$(zstd -19 -q -c < "$file" | wc -c)
  x=$(xz -9e -c < "$file" | wc -c)
  q=0
  if [ -n "$zpaq" ]; then
    rm -f "$work/a.zpaq"
    "$zpaq" a "$work/a.zpaq" "$file" -m5 -t1 > /dev/null 2>&1
    q=$(wc -c < "$work/a.zpaq")
  fi
  if [ "${FILES:-0}" = 1 ]; then
    echo "$file $n pith $p zstd $z xz $x zpaq $q" | awk '{ printf "%s %d pith %d zstd %.3f xz %.3f zpaq %.3f\n", $1, $2, $4, $4 / $6, $4 / $8, $10 ? $4 / $10 : 0 }' >&2
  fi
  count=$((count + 1)) sum=$((sum + n)) sum_pith=$((sum_pith + p)) sum_zstd=$((sum_zstd + z)) sum_xz=$((sum_xz + x))
  sum_zpaq=$((sum_zpaq + q))
done
print_class
