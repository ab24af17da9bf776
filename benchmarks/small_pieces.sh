#!/bin/sh
# Prints what small files become: four pieces of 4,096 bytes out of each FILE (from one, two, three and four fifths of it),
# each compressed alone by pith and by zstd -19.
#
#   benchmarks/small_pieces.sh FILE...        (PITH=path/to/pith, default build/pith)
set -eu
pith=${PITH:-build/pith}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

echo "| file | pith | zstd -19 | pith / zstd |"
echo "| --- | ---: | ---: | ---: |"
sum_pith=0 sum_zstd=0 count=0
for file in "$@"; do
  size=$(wc -c < "$file")
  file_pith=0 file_zstd=0
  for fifth in 1 2 3 4; do
    tail -c +$((size * fifth / 5 + 1)) "$file" | head -c 4096 > "$work/piece"
    "$pith" -q -f "$work/piece" -o "$work/a.pith"
    "$pith" -q -f -d "$work/a.pith" -o "$work/back"
    cmp -s "$work/piece" "$work/back" || { echo "$file: piece $fifth did not come back" >&2; exit 1; }
    file_pith=$((file_pith + $(wc -c < "$work/a.pith")))
    file_zstd=$((file_zstd + $(zstd -19 -q -c < "$work/piece" | wc -c)))
    count=$((count + 1))
  done
  sum_pith=$((sum_pith + file_pith)) sum_zstd=$((sum_zstd + file_zstd))
  awk -v f="$(basename "$file")" -v p=$file_pith -v z=$file_zstd 'BEGIN { printf "| %s | %d | %d | %.3f |\n", f, p, z, p / z }'
done
awk -v n=$count -v p=$sum_pith -v z=$sum_zstd 'BEGIN { printf "| %d pieces | %d | %d | %.3f |\n", n, p, z, p / z }'
