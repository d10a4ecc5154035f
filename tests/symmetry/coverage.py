"""Which of the described fields the states moved off their reset value."""

import re

PLACE = re.compile(r"^[0-9a-f]{4}:[0-9a-f:.]+/")
INDEX = re.compile(r"\[\d+\]|\(\d+\)$")
NOTHING = {"0x0", "false", "{}", '""'}


def field_name(section, path):
    """All instances of a device, and all elements of an array, are one field."""
    return PLACE.sub("", section) + INDEX.sub("", path)


def unmoved(table, field):
    """The entry of the table that has the field, or None."""
    return next((e for e in table if re.fullmatch(e.fields, field)), None)


class Coverage:
    def __init__(self):
        self.fields, self.real, self.random = {}, {}, {}  # name -> section; name -> states that moved it

    def add_machine(self, described):
        """What a machine of some configuration describes."""
        for (section, _), trace in described.items():
            for visit in trace.visits:
                if visit.kind == "described":
                    self.fields[field_name(section, visit.path)] = PLACE.sub("", section)

    def add_state(self, name, trace, reset, random=False):
        moved = set()
        for key, section in trace.items():
            before = reset.get(key, {})
            for visit in section.visits:
                old = before.get(visit.path)
                if visit.text != old.text if old else visit.text not in NOTHING:
                    moved.add(field_name(key[0], visit.path))
        for field in moved:
            (self.random if random else self.real).setdefault(field, set()).add(name)

    def report(self, out, fixed):
        """Lowest first. Returns how many are moved by real states, how many can be, and how many there are."""
        rows = sorted(self.fields, key=lambda f: (len(self.real.get(f, ())), f))
        out("states  random  field")
        for field in rows:
            entry = unmoved(fixed, field)
            out(f"{len(self.real.get(field, ())):6}  {len(self.random.get(field, ())):6}  {field}"
                + (f"  (fixed: {entry.reason})" if entry else ""))
        out("")
        out("fields  moved  only by random states  never  section")
        for section in sorted(set(self.fields.values()), key=self._share):
            out(self._row([f for f, s in self.fields.items() if s == section], section))
        out(self._row(list(self.fields), "all"))
        can = [f for f in self.fields if not unmoved(fixed, f)]
        out(self._row(can, "all that can move"))
        return sum(f in self.real for f in self.fields), len(can), len(self.fields)

    def wrong(self, fixed, others):
        """Where the tables and what was moved contradict each other; `others`: what need not have moved."""
        lines = [f"{f}: is moved, and the table says it cannot: {e.reason}"
                 for f in self.fields for e in [unmoved(fixed, f)] if e and f in self.real]
        lines += [f"{f}: was moved once, and is no more" for f in self.fields
                  if f not in self.real and not unmoved(fixed + others, f)]
        return lines + [f"{e.fields}: there is no such field" for e in fixed + others
                        if not any(re.fullmatch(e.fields, f) for f in self.fields)]

    def _share(self, section):
        of = [f for f, s in self.fields.items() if s == section]
        return sum(f in self.real for f in of) / len(of), section

    def _row(self, fields, title):
        moved = sum(f in self.real for f in fields)
        random = sum(f in self.random and f not in self.real for f in fields)
        share = 100 * moved / max(len(fields), 1)
        return f"{len(fields):6}  {moved:5} ({share:3.0f} %)  {random:14}  {len(fields) - moved - random:5}  {title}"


def reset_values(described, fresh):
    """section -> path -> visit: what a machine saves that was just made, and what it would, if it had to save it."""
    values = {}
    for source in (described, fresh):
        for key, trace in source.items():
            values.setdefault(key, {}).update((v.path, v) for v in trace.visits if v.kind != "described")
    return values

