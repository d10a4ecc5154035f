# shellcheck shell=sh
# test-symmetry.sh: what is saved and what is loaded agree, visit by visit: a sample; make symmetry does all of it.
exec python3 tests/symmetry/symmetry --sample --tap --bin "${BIN:-build/bin}" --build "${BUILD:-build/release}"
