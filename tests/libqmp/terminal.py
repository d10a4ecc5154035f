#!/usr/bin/env python3
"""terminal.py PROGRAM ARGUMENT... : runs it on a terminal, for test-qmp.sh.

Standard input has lines "type TEXT" (Python's escapes), "see TEXT" (waits until what the program has shown since the
last "see" has it), "end STATUS" (waits for the exit status). What was shown is printed if something fails.
"""
import os, pty, select, sys, time

PATIENCE = 20

child, terminal = pty.fork()
if child == 0:
    os.environ["TERM"] = "dumb"
    os.execv(sys.argv[1], sys.argv[1:])
shown, seen = b"", 0


def more(until):
    """Reads what comes; False: it is too late, or nothing comes any more."""
    global shown
    if not select.select([terminal], [], [], max(0, until - time.monotonic()))[0]:
        return False
    try:
        data = os.read(terminal, 65536)
    except OSError:
        data = b""
    shown += data
    return bool(data)


def fail(why):
    print(why)
    print(shown.decode(errors="replace"))
    os.kill(child, 9)
    sys.exit(1)


for line in sys.stdin:
    verb, _, text = line.rstrip("\n").partition(" ")
    octets = text.encode().decode("unicode_escape").encode("latin-1")
    until = time.monotonic() + PATIENCE
    if verb == "type":
        os.write(terminal, octets)
    elif verb == "see":
        while octets not in shown[seen:]:
            if not more(until):
                fail(f"not seen: {text}")
        seen = shown.index(octets, seen) + len(octets)
    elif verb == "end":
        while more(until):
            pass
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status != int(text):
            fail(f"exit status {status}, not {text}")
