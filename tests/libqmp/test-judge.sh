# shellcheck shell=sh
# test-judge.sh: what suite/judge.py sees when answers differ in one known thing.
exec python3 tests/libqmp/suite/try-judge.py
