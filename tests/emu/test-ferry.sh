# shellcheck shell=sh
# test-ferry.sh: the program, as its users see it: tests/emu/ferry.py has the cases.
exec python3 tests/emu/ferry.py "${BIN:-build/bin}" "${BUILD:-build/release}/guest/witness.elf"
