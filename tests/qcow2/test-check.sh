#!/bin/sh
# The check of qcow2 images, against qemu-img: see check_damage.py.
python=$(python3 -c 'import sys; print(sys.executable)')
command -v qemu-img >/dev/null && command -v qemu-io >/dev/null || {
    echo 'ok 1 - images are damaged, checked and repaired # SKIP there is no qemu-img'
    echo '1..1'
    exit 0
}
TMP=$(mktemp -d) || exit 1
trap 'rm -rf "$TMP"' EXIT
"$python" tests/qcow2/check_damage.py "${BIN:-build/bin}/qcow2-tool" "$TMP"
