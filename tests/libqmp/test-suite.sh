# shellcheck shell=sh
# test-suite.sh: Ferry and QEMU are asked the same: suite/run.py.
exec python3 tests/libqmp/suite/run.py "${BIN:-build/bin}" "${BUILD:-build/release}"
