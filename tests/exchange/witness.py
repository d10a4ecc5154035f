"""What the guest says on its line, put together from all the machines that it was in."""

import re

LINE = re.compile(r"^witness round=(\d+)((?: \w+=\d+)*) ok$")
BEGINS = re.compile(r"^witness begins( [\w-]+=[\w/-]*)*$")


class Wrong(Exception):
    """The guest found something wrong, or what it says cannot be."""


class Transcript:
    """Reads on where it stopped: a machine is added when the one before has ended, or says nothing any more."""

    def __init__(self):
        self.consoles = []  # of the machines in turn; the last one still runs
        self.found, self.begun, self.ended = [], None, False
        self.turn, self.at, self.half = 0, 0, ""  # how far it was read: console, octet, and the line so far

    def add(self, machine):
        machine.console.name = machine.name
        self.consoles.append(machine.console)

    def whereabouts(self):
        """In which machine each part was said."""
        return "".join(f"[{c.name}]\n{c.text.decode(errors='replace')}\n" for c in self.consoles).replace("\r", "")

    def _more(self):
        """What has come since; a console is left for the next one when its socket has ended."""
        while self.turn < len(self.consoles):
            console = self.consoles[self.turn]
            ended, text = console.ended, bytes(console.text[self.at:])
            self.at += len(text)
            yield console.name, text.decode(errors="replace").replace("\r", "")
            if not ended or self.turn + 1 == len(self.consoles):
                return
            self.turn, self.at = self.turn + 1, 0

    def rounds(self):
        """All lines that are complete, as dictionaries. Raises Wrong for one that should not be there."""
        for name, text in self._more():
            *lines, self.half = (self.half + text).split("\n")
            for line in lines:
                self._line(line, name)
        return self.found

    def _line(self, line, name):
        match = LINE.match(line)
        if match:
            new = {"round": int(match[1]), **{k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", match[2])}}
            for key, value in (self.found[-1] if self.found else {}).items():
                if key != "sum" and new.get(key, -1) < value:
                    raise Wrong(f"{key} went back from {value} to {new.get(key)} in round {new['round']} (in {name})")
            self.found.append(new)
        elif BEGINS.match(line) and not self.begun:
            self.begun = line
        elif line == "witness ends":
            self.ended = True
        elif line and (self.begun or "witness" in line):  # firmware may speak before the guest does
            raise Wrong(f"{line} (in {name})")

    @staticmethod
    def all_grow(names, before, after):
        """All counters have moved on between two lines: every part is still at work."""
        return [name for name in names if after.get(name, 0) <= before.get(name, 0)]
