#!/bin/sh
# What users do to an image, at random, against a flat copy and against qemu-img: a part of `make qcow2-workload`.
# shellcheck source=tests/support/tap.sh
. tests/support/tap.sh

if ! command -v qemu-img >/dev/null; then
    skip_ 'all of it' 'no qemu-img'
    plan
    exit
fi
workload=$PWD/${BUILD:-build/release}/tests/qcow2/random-workload
work() {
    mkdir "$TMP/$1" && cd "$TMP/$1" && "$workload" --seed="$1" --steps=240 --run=40 --check=20
}
case_ 'random work on images of six kinds leaves what the copy has, and nothing that qemu-img complains of' work 100
case_ 'random work on images of six other kinds does the same' work 200
plan
