# shellcheck shell=sh
# test-commands-fd.sh: descriptors that clients send: tests/qmp/commands-net.py has the cases.
exec python3 tests/qmp/commands-fd.py "${BIN:-build/bin}"
