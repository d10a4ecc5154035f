# shellcheck shell=sh
# test-preconfig.sh: a machine that commands make: tests/qmp/preconfig.py has the cases.
exec python3 tests/qmp/preconfig.py "${BIN:-build/bin}"
