# shellcheck shell=sh
# test-incoming.sh: states that come from a QEMU whose guest runs: tests/migration/incoming.py has the cases.
exec python3 tests/migration/incoming.py "${BIN:-build/bin}"
