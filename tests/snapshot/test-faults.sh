#!/bin/sh
# Operations on images fail while snapshots are saved, loaded and deleted: a part of `make snapshot-faults`.
# shellcheck source=tests/support/tap.sh
. tests/support/tap.sh

if ! command -v qemu-img >/dev/null; then
    skip_ 'all of it' 'no qemu-img'
    plan
    exit
fi
case "${BUILD:-build/release}" in
*asan*) skip_ 'all of it' 'the sanitizer wants to be the first library' && plan && exit ;;
esac
case_ 'whatever operation fails, the images are sound, the machine goes on, and the error says what it was' \
    tests/snapshot/faults.py "${BIN:-build/bin}" "${BUILD:-build/release}" --sample=40 --running=4
plan
