#!/bin/sh
# test-suite.sh: Ferry and QEMU are asked the same: suite/run.py.
# shellcheck source=tests/support/tap.sh
. tests/support/tap.sh

case "${BUILD:-build/release}" in
*asan*) skip_ 'all of it' 'libvdeplug loads its parts in a way that the sanitizer ends' && plan && exit ;;
esac
exec python3 tests/libqmp/suite/run.py "${BIN:-build/bin}" "${BUILD:-build/release}"
