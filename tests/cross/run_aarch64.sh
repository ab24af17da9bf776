#!/bin/sh
# Runs a 64-bit ARM program on this machine: run_aarch64.sh PROGRAM ARGUMENTS...
#
# "max" has the dot product instructions. The C library of the cross compiler must come with the loader of the cross
# compiler: with "-L" alone qemu takes the loader from there and libc from Debian's arm64 packages, and a program that
# starts a thread then never comes back.
libraries=/usr/aarch64-linux-gnu
exec qemu-aarch64 -cpu max -L $libraries -E LD_LIBRARY_PATH=$libraries/lib "$@"
