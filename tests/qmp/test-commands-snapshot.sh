# shellcheck shell=sh
# test-commands-snapshot.sh: snapshots of the machine over QMP: tests/qmp/commands-snapshot.py has the cases.
exec python3 tests/qmp/commands-snapshot.py "${BIN:-build/bin}"
