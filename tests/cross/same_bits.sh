#!/usr/bin/env bash
# The same archive, the same words of a model and the same converted model from every program, instruction set and number of
# threads; and every one of them restores the archive.
#
#   same_bits.sh NAME=COMMAND...     e.g. same_bits.sh gcc=build/pith "arm=qemu-aarch64 build-arm/pith"
#
# The first program, as it runs by default, is the reference. Emulated ones, whose commands have several words, leave
# out the large text.
# Prints "passed: what" or "failed: what, why" for each comparison; the exit code is 1 if one failed.
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

cp "$here/mixed_text.bin" "$work/small"
for _ in 1 2; do cat "$here/mixed_text.bin" "$0"; done >"$work/large"  # more than the model is given at once
head -c 3000 /bin/ls >"$work/binary"
# A checkpoint to convert: random weights, some columns of them six times as large, with a tokenizer of single bytes.
mkdir "$work/checkpoint"
cp "$here"/checkpoint/* "$work/checkpoint"
cp "$here/bytes_tokenizer.json" "$work/checkpoint/tokenizer.json"
conversions="dynamic_int8.litertlm dynamic_int4_block32.litertlm fp16.litertlm q8_0.gguf q4_0.gguf int8.onnx"

cp "$work/small" "$work/fast"  # by contexts, without the model
cp "$work/small" "$work/strong"
seq 1 300 | awk '{ printf "%d,%.6f,%.17g,%.3f\n", $1, 40 + sin($1 / 50), cos($1), 7.5 * $1 }' >"$work/numeric"
cp "$here/windows_1251.txt" "$work/encoded"  # the model has to find out which encoding it is

# Several streams where there is text enough for them.
compress() {
  local command=$1 text=$2
  shift 2
  case $text in
    large) set -- "$@" --streams 5 ;;
    fast) set -- "$@" -1 ;;
    strong) set -- "$@" -2 ;;
    numeric) set -- "$@" -3 ;;
    encoded) set -- "$@" -4 ;;
  esac
  $command compress -q -c "$@" <"$work/$text"
}

# convert COMMAND ENCODING.FORMAT FOLDER [options]: what comes out, as one stream.
convert() {
  local command=$1 what=$2 folder=$3
  shift 3
  mkdir -p "$folder"
  rm -f "$folder"/*
  $command convert "$work/checkpoint" -q --quantize "${what%.*}" -o "$folder/m.${what#*.}" "$@" && cat "$folder"/*
}

printf '{"type": "object", "properties": {"a": {"type": "string", "maxLength": 20}, "b": {"type": "number"}}, "required": ["a", "b"]}' >"$work/schema"
talks="sampled greedy schema"

# talk COMMAND TALK [options]: what the built-in model says.
talk() {
  local command=$1
  case $2 in
    sampled) set -- "${@:3}" --temperature 1.2 --top-p 0.98 --top-k 0 ;;
    greedy) set -- "${@:3}" --greedy ;;
    schema) set -- "${@:3}" --json-schema "$work/schema" ;;
  esac
  $command run builtin -q --raw --prompt "Once upon a time" --seed 7 -n 120 "$@" </dev/null
}

# check WHAT FOUND EXPECTED: compares two files; $errors says what the program said.
check() {
  if cmp -s "$2" "$3"; then
    echo "passed: $1"
  else
    echo "failed: $1: $(cmp "$2" "$3" 2>&1); $(head -1 "$work/errors")"
    failures=1
  fi
}

# try_program NAME COMMAND: every instruction set and number of threads of one program.
try_program() {
  local name=$1 command=$2 texts="small binary encoded fast strong numeric large" isa threads text what isas
  [ "$command" = "${command% *}" ] || texts="small binary encoded fast strong numeric"
  isas=$("$here/isas_of.sh" "$command") || { echo "failed: $name: $isas"; failures=1; return; }
  for text in $texts; do
    for isa in $isas; do
      for threads in 1 2 4; do
        what="$name, $isa, $threads threads, $text"
        rm -f "$work/found" "$work/back"
        PITH_ISA=$isa compress "$command" "$text" -T"$threads" >"$work/found" 2>"$work/errors"
        check "$what: compress" "$work/found" "$work/$text.pith"
        PITH_ISA=$isa $command decompress -q -c -T"$threads" <"$work/$text.pith" >"$work/back" 2>"$work/errors"
        check "$what: decompress" "$work/back" "$work/$text"
      done
    done
  done
  for what in $talks; do
    for isa in $isas; do
      for threads in 1 4; do
        PITH_ISA=$isa talk "$command" "$what" -T"$threads" >"$work/found" 2>"$work/errors"
        check "$name, $isa, $threads threads, $what words" "$work/found" "$work/$what.words"
      done
    done
  done
  for what in $conversions; do
    for threads in 1 4; do
      convert "$command" "$what" "$work/converted" -T"$threads" >"$work/found" 2>"$work/errors"
      check "$name, $threads threads, convert to $what" "$work/found" "$work/$what"
    done
  done
}

reference=${1#*=}
for text in small binary encoded fast strong numeric large; do
  compress "$reference" $text >"$work/$text.pith" || exit 1
done
for what in $talks; do
  talk "$reference" "$what" >"$work/$what.words" || exit 1
done
for what in $conversions; do
  convert "$reference" "$what" "$work/converted" >"$work/$what" || exit 1
done
for program in "$@"; do try_program "${program%%=*}" "${program#*=}"; done
exit $failures
