# shellcheck shell=sh
# test-commands-snapshot-lazy.sh: memory of snapshots that comes while the guest runs: tests/qmp/commands-snapshot-lazy.py.
exec python3 tests/qmp/commands-snapshot-lazy.py "${BIN:-build/bin}"
