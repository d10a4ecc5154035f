# shellcheck shell=sh
# test-commands-net.sh: what clients ask of networks: tests/qmp/commands-net.py has the cases.
exec python3 tests/qmp/commands-net.py "${BIN:-build/bin}"
