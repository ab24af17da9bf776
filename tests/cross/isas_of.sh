#!/bin/sh
# Prints the instruction sets that PITH_ISA may name for a program on this machine: isas_of.sh COMMAND
for isa in scalar avx2 avxvnni avx512 neon; do
  # The program says which one it would use, or why it cannot use this one.
  if PITH_ISA=$isa $1 --version | grep -q "^instruction set *$isa$"; then echo $isa; found=yes; fi
done
[ "$found" = yes ] || { echo "$1 --version names no instruction set"; exit 1; }
