# shellcheck shell=sh
# test-commands-human.sh: commands for people: tests/qmp/commands-human.py has the cases.
exec python3 tests/qmp/commands-human.py "${BIN:-build/bin}"
