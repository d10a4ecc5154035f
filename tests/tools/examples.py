#!/usr/bin/env python3
"""examples.py PAGE: runs the examples of a manual page, or a README.md, in the current directory, and says which do
something else.

An example is a literal (or indented) block with lines that start with "$ "; what follows is what the command should
write. A line of three dots stands for any number of lines.
"""
import re
import subprocess
import sys


def blocks(text):
    if text.startswith("# "):
        for block in re.findall(r"^(?:    .*\n|\n(?=    ))+", text, re.M):
            yield re.sub(r"^    ", "", block, flags=re.M).strip("\n") + "\n"
        return
    text = text[text.index(".Sh EXAMPLES"):]
    text = text[:text.index(".Sh LIMITATIONS")]
    for block in re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed", text, re.M | re.S):
        yield block.replace(r"\&", "").replace(r"\e", "\\")


def examples(block):
    """Pairs of a command and the lines that it should write."""
    block = block.replace("\\\n", "")
    for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
        command, _, lines = part.partition("\n")
        yield command, lines.rstrip("\n") + "\n" if lines.strip() else ""


def main():
    with open(sys.argv[1]) as file:
        text = file.read()
    wrong = count = 0
    for block in blocks(text):
        for command, lines in examples(block):
            run = subprocess.run(["sh", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            pattern = re.escape(lines).replace(re.escape("...\n"), "(?:.*\n)*")
            count += 1
            if not re.fullmatch(pattern, run.stdout):
                wrong += 1
                print(f"$ {command}\nthe page says:\n{lines}it writes:\n{run.stdout[:2000]}")
    print(f"{count} examples, {wrong} wrong")
    return wrong or not count


sys.exit(bool(main()))
