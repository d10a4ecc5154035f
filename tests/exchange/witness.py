"""What the guest says on its line, put together from all the machines that it was in."""

import re

LINE = re.compile(r"^witness round=(\d+)((?: \w+=\d+)*) ok$")
BEGINS = re.compile(r"^witness begins( [\w-]+=[\w/-]*)*$")
NEVER_BACK = {"longest_us"}  # these may stand still for ever; all others but sum do not fall, either


class Wrong(Exception):
    """The guest found something wrong, or what it says cannot be."""


class Transcript:
    def __init__(self):
        self.consoles = []  # of the machines in turn; the last one still runs

    def add(self, machine):
        machine.console.name = machine.name
        self.consoles.append(machine.console)

    def whereabouts(self):
        """In which machine each part was said."""
        return "".join(f"[{c.name}]\n{c.text.decode(errors='replace')}\n" for c in self.consoles).replace("\r", "")

    def text(self):
        return b"".join(bytes(c.text) for c in self.consoles).decode(errors="replace").replace("\r", "")

    def begins(self):
        """The complete line in which it says what there is."""
        return next((line for line in self._complete() if line.startswith("witness begins")), None)

    def _complete(self):
        return self.text().split("\n")[:-1]

    def rounds(self):
        """All lines that are complete, as dictionaries. Raises Wrong for one that should not be there."""
        found = []
        for line in self._complete():
            match = LINE.match(line)
            if match:
                found.append({"round": int(match[1]), **{k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", match[2])}})
            elif "FAILED" in line or "exception" in line:
                where = next((c.name for c in self.consoles if line.encode()[-20:] in c.text), "between two machines")
                raise Wrong(f"{line} (in {where})")
            elif line.startswith("witness ends") or not line or BEGINS.match(line) or self._before(line):
                continue
            else:
                raise Wrong(f"garbled: {line!r}")
        self._monotone(found)
        return found

    def _before(self, line):
        """Firmware may speak before the guest does."""
        text = self.text()
        return text.find(line) < text.find("witness begins")

    @staticmethod
    def _monotone(found):
        for before, after in zip(found, found[1:]):
            for name, value in before.items():
                if name != "sum" and after.get(name, -1) < value:
                    raise Wrong(f"{name} went back from {value} to {after.get(name)} in round {after['round']}")

    @staticmethod
    def all_grow(names, before, after):
        """All counters have moved on between two lines: every part is still at work."""
        return [name for name in names if after.get(name, 0) <= before.get(name, 0)]
