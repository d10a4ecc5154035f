# shellcheck shell=sh
# test-commands-block.sh: jobs, disks, lines and networks over QMP: tests/qmp/commands-block.py has the cases.
exec python3 tests/qmp/commands-block.py "${BIN:-build/bin}"
