"""try-judge.py: what judge.py sees when answers differ in one known thing. Cases for test-judge.sh; speaks TAP."""
import json
import sys

import judge

SCHEMA = [
    {"name": "look", "meta-type": "command", "arg-type": "0", "ret-type": "2"},
    {"name": "0", "meta-type": "object", "members": [{"name": "deep", "type": "bool", "default": None}]},
    {"name": "1", "meta-type": "object", "tag": "kind", "variants": [{"case": "a", "type": "3"}],
     "members": [{"name": "kind", "type": "4"}, {"name": "size", "type": "int", "default": None}]},
    {"name": "2", "meta-type": "array", "element-type": "1"},
    {"name": "3", "meta-type": "object", "members": [{"name": "more", "type": "str"}]},
    {"name": "4", "meta-type": "enum", "members": [{"name": "a"}, {"name": "b"}]},
    *({"name": name, "meta-type": "builtin", "json-type": kind}
      for name, kind in (("bool", "boolean"), ("int", "int"), ("str", "string")))]
GOOD = [{"kind": "a", "more": "x"}, {"kind": "b", "size": 7}]
FAILED = {"error": {"class": "GenericError", "desc": "no"}}


def record(name, reply, arguments=None, schema=None):
    asked = [("query-qmp-schema", None, {"return": schema or SCHEMA}),
             ("look", {"deep": True} if arguments is None else arguments, reply)]
    lines = []
    for number, (command, given, answer) in enumerate(asked):
        lines.append("> " + json.dumps({"execute": command, "id": number, **({"arguments": given} if given else {})}))
        if answer:
            lines.append("< " + json.dumps({**answer, "id": number}))
    return judge.Record(name, "\n".join(lines), "/folder")


def found(ours, theirs, **ours_too):
    judgement = judge.Judgement(record("Ferry", ours, **ours_too), record("QEMU", theirs))
    judgement.run()
    judgement.uncovered()
    return judgement.found


def good(*items):
    return {"return": list(items)}


CASES = [
    ("answers that are alike do not differ", found(good(*GOOD), good(*GOOD)), []),
    ("a member more is seen", found(good(GOOD[0], {"kind": "b"}), good(*GOOD)), ["look return[].size: only in QEMU"]),
    ("a list that is empty is seen", found(good(), good(*GOOD)), ["look return[]: an element only in QEMU"]),
    ("a member that must be there and is not is seen", found(good({"kind": "a"}, GOOD[1]), good(*GOOD)),
     ["look return[].more: it is missing in Ferry", "look return[].more: only in QEMU"]),
    ("a member of another branch is seen", found(good({"kind": "b", "more": "x", "size": 7}), good(*GOOD)),
     ["look return[]: members that the schema has not: more in Ferry"]),
    ("a word that the enumeration has not is seen", found(good(GOOD[0], {"kind": "c", "size": 7}), good(*GOOD)),
     ['look return[].kind: "c" is no word of the enumeration in Ferry']),
    ("another type is seen", found(good(GOOD[0], {"kind": "b", "size": "7"}), good(*GOOD)),
     ['look return[].size: "7" is no int in Ferry', "look return[].size: string in Ferry, number in QEMU"]),
    ("an error in place of an answer is seen", found(FAILED, good(*GOOD)),
     ['look {"deep": true}: GenericError in Ferry, return in QEMU', "look: nobody does it with success",
      "look args.deep: nobody is given it with success"]),
    ("errors of another class are seen",
     found(FAILED, {"error": {"class": "DeviceNotFound", "desc": "no"}})[0],
     'look {"deep": true}: GenericError in Ferry, DeviceNotFound in QEMU'),
    ("what both refuse is nobody's success", found(FAILED, FAILED),
     ["look: nobody does it with success", "look args.deep: nobody is given it with success"]),
    ("another question is seen", found(good(*GOOD), good(*GOOD), arguments={"deep": False})[0],
     'they were not asked the same: look {"deep": false} / look {"deep": true}'),
    ("an answer that does not come is seen", found(None, good(*GOOD))[0], "look: no answer in Ferry"),
]


def main():
    failed = 0
    for number, (sentence, got, wanted) in enumerate(CASES, 1):
        failed += got != wanted
        print(f"{'ok' if got == wanted else 'not ok'} {number} - {sentence}")
        if got != wanted:
            print("#", got)
    print(f"1..{len(CASES)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
