"""completion.py FILE: is there of each command each argument, with what shells need?"""
import json, sys

commands = json.load(open(sys.argv[1], encoding="utf-8"))
assert len(commands) == 18 and list(commands) == sorted(commands)
for command, arguments in commands.items():
    for name, argument in arguments.items():
        assert list(argument) == ["type", "values", "about", "optional"], (command, name)
add = commands["add-crate"]
assert add["name"] == {"type": "str", "values": [], "about": "of it", "optional": False}
assert add["colours"]["type"] == "[Colour]" and add["colours"]["values"] == ["red", "infra-red", "grey"]
assert add["fast"]["values"] == ["true", "false"] and add["fast"]["optional"]
draw = commands["draw"]  # of a union
assert list(draw) == ["type", "label", "radius", "width", "height"]
assert not draw["type"]["optional"] and draw["width"]["optional"]
assert commands["query-crates"] == {}
