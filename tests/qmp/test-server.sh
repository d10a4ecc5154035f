# shellcheck shell=sh
# test-server.sh: QMP of the program, as its clients see it: tests/qmp/server.py has the cases.
exec python3 tests/qmp/server.py "${BIN:-build/bin}"
