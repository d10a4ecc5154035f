#!/bin/sh
# Random sequences of save, load, delete, write and restart: a part of `make snapshot-sequences`.
# shellcheck source=tests/support/tap.sh
. tests/support/tap.sh

if ! command -v qemu-img >/dev/null; then
    skip_ 'all of it' 'no qemu-img'
    plan
    exit
fi
case_ 'random sequences over three disks leave what a model has, and images that qemu-img finds clean' \
    tests/snapshot/sequences.py "${BIN:-build/bin}" "${BUILD:-build/release}" --count=6
plan
