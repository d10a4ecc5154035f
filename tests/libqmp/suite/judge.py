"""judge.py: what two machines have answered to the same commands (suite.h says how it is written down).

Each reply is held, member by member, against the schema that the machine itself has given (query-qmp-schema); then the
two machines' replies against each other, by their shape: which members are there, and what they are in JSON. An error
has its class. Differences are lines:

    query-pci return[].devices[].pci_bridge: only in QEMU          a member
    query-chardev return[].frontend-open: string in QEMU           not of the type that its schema says
    job-dismiss {"id": "none"}: GenericError in QEMU, return in Ferry
    blockdev-add args(driver=qcow2).backing: nobody is given it with success
    job-pause: nobody does it with success

The last two are of what both have and the suite does not show. Differences that are meant are in a file of lines
"DIFFERENCE  # REASON", as compare-schema.py has them.
"""
import importlib.util
import json
import os
import re

HERE = os.path.dirname(os.path.abspath(__file__))


def load(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


compare_schema = load("compare_schema", os.path.join(HERE, "../../qmp/compare-schema.py"))
Allowed, variants = compare_schema.Allowed, compare_schema.variants
HUGE = re.compile(r'"(\d{19,20})"')  # what libqmp makes of a number that jansson has not
JSON = {"string": str, "boolean": bool, "null": type(None), "array": list, "object": dict}


class Schema(compare_schema.Schema):
    """query-qmp-schema's reply, as it was written down."""

    def __init__(self, entries):
        tops = ("command", "event")
        self.types = {e["name"]: e for e in entries if e["meta-type"] not in tops}
        self.tops = {(e["meta-type"], e["name"]): e for e in entries if e["meta-type"] in tops}

    def command(self, name):
        return self.tops.get(("command", name))


class Record:
    """What one machine was asked, and what it has said."""

    def __init__(self, name, text, folder):
        self.name, self.steps, self.wrong = name, [], []
        waiting, schema = {}, None
        for line in text.splitlines():
            mark, said = line[:1], line[2:]
            if mark == "!":
                self.wrong.append(f"{said} in {name}")
                continue
            message = json.loads(HUGE.sub(r"\1", said))
            if mark == ">":
                waiting[message["id"]] = message
            elif "id" in message and message["id"] in waiting:
                asked = waiting.pop(message["id"])
                command = asked.get("execute", asked.get("exec-oob"))
                arguments = asked.get("arguments", {})
                label = command + (" " + json.dumps(arguments).replace(folder, "@") if arguments else "")
                self.steps.append((label, command, arguments, message))
                if command == "query-qmp-schema":
                    schema = message["return"]
        self.wrong += [f"{asked['execute']}: no answer in {name}" for asked in waiting.values() if asked["execute"] != "quit"]
        self.schema = Schema(schema)


# --- a value and the type that the schema says ------------------------------------------------------------------------

class Check:
    """Walks a value along its type. Says what does not fit, and which members of which types it has."""

    def __init__(self, schema, lax=False):
        self.schema, self.lax = schema, lax
        self.wrong, self.met = [], set()

    def fail(self, where, what):
        self.wrong.append(f"{where}: {what}")

    def value(self, where, type_name, value):
        entry = self.schema.types[type_name]
        getattr(self, entry["meta-type"])(where, entry, value)

    def builtin(self, where, entry, value):
        kind = entry["json-type"]
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        fits = (kind == "value" or (kind == "number" and number) or (kind == "int" and number and value == int(value)) or
                (kind in JSON and isinstance(value, JSON[kind])))
        if not fits:
            self.fail(where, f"{json.dumps(value)} is no {kind}")

    def enum(self, where, entry, value):
        if value not in [m["name"] for m in entry["members"]]:
            self.fail(where, f"{json.dumps(value)} is no word of the enumeration")

    def array(self, where, entry, value):
        if not isinstance(value, list):
            return self.fail(where, "this is no array")
        for item in value:
            self.value(where + "[]", entry["element-type"], item)

    def alternate(self, where, entry, value):
        for member in entry["members"]:
            trial = Check(self.schema, self.lax)
            trial.value(where, member["type"], value)
            if not trial.wrong:
                self.met |= trial.met
                return None
        return self.fail(where, "none of the alternate's types")

    def object(self, where, entry, value):
        if not isinstance(value, dict):
            return self.fail(where, "this is no object")
        left = dict(value)
        self.members(where, entry, left)
        if left and not self.lax:
            self.fail(where, "members that the schema has not: " + ", ".join(sorted(left)))
        return None

    def members(self, where, entry, left):
        tag = entry.get("tag")
        branch = variants(entry).get(left.get(tag)) if tag else None
        if tag in left:
            self.met.add((entry["name"], f"{tag}={left[tag]}"))
        for member in entry["members"]:
            name = member["name"]
            if name in left:
                self.met.add((entry["name"], name))
                self.value(f"{where}.{name}", member["type"], left.pop(name))
            elif "default" not in member:
                self.fail(f"{where}.{name}", "it is missing")
        if branch:
            self.members(where, self.schema.types[branch], left)


def paths(where, value, found):
    """Where there is what in JSON."""
    kind = {bool: "boolean", str: "string", list: "array", dict: "object", type(None): "null"}.get(type(value), "number")
    found.setdefault(where, set()).add(kind)
    for name, item in value.items() if kind == "object" else ():
        paths(f"{where}.{name}", item, found)
    for item in value if kind == "array" else ():
        paths(where + "[]", item, found)
    return found


# --- two machines -----------------------------------------------------------------------------------------------------

class Judgement:
    def __init__(self, ours, theirs):
        self.ours, self.theirs = ours, theirs
        self.found = ours.wrong + theirs.wrong
        self.met, self.done, self.counts = set(), set(), {"steps": 0, "return": 0, "error": 0}

    def leave_out(self, commands):
        """What only the other one was asked: these, and to negotiate."""
        self.theirs.steps = [step for step in self.theirs.steps[1:] if step[1] not in commands]

    def run(self):
        if [s[0] for s in self.ours.steps] != [s[0] for s in self.theirs.steps]:
            pairs = zip(self.ours.steps, self.theirs.steps)
            first = next((f"{a[0]} / {b[0]}" for a, b in pairs if a[0] != b[0]), "one of them ends early")
            self.found.append(f"they were not asked the same: {first}")
            return
        for mine, other in zip(self.ours.steps, self.theirs.steps):
            self.step(mine, other)

    def outcome(self, record, reply, command):
        if "error" in reply:
            if not isinstance(reply["error"].get("desc"), str) or not isinstance(reply["error"].get("class"), str):
                self.found.append(f"{command}: the error has no class or text in {record.name}")
            return reply["error"]["class"]
        check = Check(record.schema)
        if record.schema.command(command):
            check.value(command + " return", record.schema.command(command)["ret-type"], reply["return"])
        self.found += [f"{line} in {record.name}" for line in check.wrong]
        return "return"

    def step(self, mine, other):
        label, command, arguments, ours = mine
        theirs = other[3]
        outcome = self.outcome(self.ours, ours, command), self.outcome(self.theirs, theirs, command)
        self.counts["steps"] += 1
        if outcome[0] != outcome[1]:
            self.found.append(f"{label}: {outcome[0]} in {self.ours.name}, {outcome[1]} in {self.theirs.name}")
            return
        self.counts["return" if outcome[0] == "return" else "error"] += 1
        if outcome[0] != "return":
            return
        self.done.add(command)
        arg_type = (self.ours.schema.command(command) or {}).get("arg-type")
        if arg_type:
            given = Check(self.ours.schema, lax=True)
            given.value(command, arg_type, arguments)
            self.met |= given.met
        self.shapes(command + " return", ours["return"], theirs["return"])

    def shapes(self, where, ours, theirs):
        mine, other = paths(where, ours, {}), paths(where, theirs, {})
        for path in {**mine, **other}:
            above = path.rpartition(".")[0] or path
            if path.endswith("[]") and (path not in mine) != (path not in other):
                who = self.ours.name if path in mine else self.theirs.name
                self.found.append(f"{path}: an element only in {who}")
            elif path not in mine or path not in other:
                if above in mine and above in other:
                    self.found.append(f"{path}: only in {self.ours.name if path in mine else self.theirs.name}")
            elif mine[path] != other[path]:
                self.found.append(f"{path}: {'/'.join(sorted(mine[path]))} in {self.ours.name}, "
                                  f"{'/'.join(sorted(other[path]))} in {self.theirs.name}")

    # --- what the suite has not shown

    def add(self, others):
        """What others have seen work counts, too."""
        for other in others:
            self.met |= other.met
            self.done |= other.done

    def uncovered(self):
        """Commands and arguments of both that nobody has seen work on both."""
        ours, theirs = self.ours.schema, self.theirs.schema
        for kind, name in sorted(ours.tops):
            if kind != "command" or (kind, name) not in theirs.tops:
                continue
            if name not in self.done:
                self.found.append(f"{name}: nobody does it with success")
            self.seen = set()
            self.arguments(name + " args", ours.tops[kind, name]["arg-type"], theirs.tops[kind, name]["arg-type"])

    def arguments(self, where, our, their):
        ours, theirs = self.ours.schema.types[our], self.theirs.schema.types[their]
        if (our, their) in self.seen or ours["meta-type"] != theirs["meta-type"]:
            return
        self.seen.add((our, their))
        if ours["meta-type"] == "array":
            self.arguments(where + "[]", ours["element-type"], theirs["element-type"])
        elif ours["meta-type"] == "alternate":
            kinds = {self.theirs.schema.kind(m["type"]): m["type"] for m in theirs["members"]}
            for member in ours["members"]:
                if self.ours.schema.kind(member["type"]) in kinds:
                    self.arguments(where, member["type"], kinds[self.ours.schema.kind(member["type"])])
        elif ours["meta-type"] == "object":
            self.argument_members(where, ours, theirs)

    def argument_members(self, where, ours, theirs):
        there = {m["name"]: m["type"] for m in theirs["members"]}
        for member in ours["members"]:
            name = member["name"]
            if name not in there:
                continue
            if (ours["name"], name) not in self.met:
                self.found.append(f"{where}.{name}: nobody is given it with success")
            self.arguments(f"{where}.{name}", member["type"], there[name])
        tag, there = ours.get("tag"), variants(theirs)
        words = [next(m for m in schema.types[next(m["type"] for m in type_["members"] if m["name"] == tag)]["members"])
                 for schema, type_ in ((self.ours.schema, ours), (self.theirs.schema, theirs))] if tag else []
        for case, branch in variants(ours).items() if words else ():
            if case in there:
                if (ours["name"], f"{tag}={case}") not in self.met:
                    self.found.append(f"{where}({tag}={case}): nobody is given it with success")
                self.arguments(f"{where}({tag}={case})", branch, there[case])


def compare_schemas(judgement):
    """What the schemas themselves differ in, as compare-schema.py says it."""
    comparison = compare_schema.Comparison(judgement.ours.schema, judgement.theirs.schema)
    for key in sorted(comparison.ours.tops):
        if key in comparison.qemus.tops:
            comparison.top(key)
    return comparison.found


def explain(found, allowed):
    """Differences without a reason; reasons without a difference."""
    left = [line for line in dict.fromkeys(found) if allowed.reason(line) is None]
    return left, [f"there is no such difference: {text}" for _, text, _, _, count in allowed.lines if not count]
