#!/bin/sh
# A program that writes to an image is killed: a part of `make qcow2-kills`.
# shellcheck source=tests/support/tap.sh
. tests/support/tap.sh

workload=$PWD/${BUILD:-build/release}/tests/qcow2/kill-workload
cd "$TMP" || exit
case_ 'a program that is killed while it writes loses nothing that it was told of' "$workload" --kills=24 --each=6
plan
