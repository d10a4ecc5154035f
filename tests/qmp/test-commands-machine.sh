# shellcheck shell=sh
# test-commands-machine.sh: what clients ask of the machine: tests/qmp/commands-machine.py has the cases.
exec python3 tests/qmp/commands-machine.py "${BIN:-build/bin}"
