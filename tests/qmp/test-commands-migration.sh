# shellcheck shell=sh
# test-commands-migration.sh: what clients ask of the machine: tests/qmp/commands-migration.py has the cases.
exec python3 tests/qmp/commands-migration.py "${BIN:-build/bin}"
