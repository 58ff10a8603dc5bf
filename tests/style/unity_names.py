#!/usr/bin/env python3
"""Sources that are compiled together (deploy/cmake/unity.cmake) may not have
functions of the same name.

    unity_names.py SOURCE_DIR BUILD_DIR

Functions of anonymous namespaces are then overloads of each other, and a call may
go to the one of another file without a word from the compiler.
"""

import json
import re
import sys
from collections import defaultdict
from pathlib import Path

FUNCTION = re.compile(r"^[A-Za-z_][\w:<>,&*\[\]\s]*?[\s&*>](\w+)\(")
NO_TYPE = ("return", "using", "namespace", "else", "throw", "static_assert", "template")


def functions(source: Path) -> set[tuple[str, str]]:
    """(namespace, name) of what stands in anonymous namespaces; as the code is
    formatted, what begins a line there is a declaration."""
    found = set()
    spaces: list[str] = []
    for line in source.read_text().splitlines():
        if opened := re.match(r"(?:inline )?namespace ?([\w:]*) ?\{$", line):
            spaces.append(opened.group(1))
        elif re.match(r"\} // namespace", line):
            spaces.pop()
        elif "" in spaces and not line.startswith(NO_TYPE):
            if declared := FUNCTION.match(line):
                found.add(("::".join(filter(None, spaces)), declared.group(1)))
    return found


def main() -> int:
    source_dir, build_dir = (Path(x).resolve() for x in sys.argv[1:])
    commands = json.loads((build_dir / "compile_commands.json").read_text())
    together = [Path(x["file"]) for x in commands if "/Unity/" in x["file"]]
    checked = clashes = 0
    for unit in together:
        owners = defaultdict(list)
        for path in re.findall(r'#include "(.+\.cpp)"', unit.read_text()):
            checked += 1
            for name in functions(Path(path)):
                owners[name].append(Path(path).relative_to(source_dir))
        for (space, name), files in owners.items():
            if len(files) > 1:
                clashes += 1
                print(f"{space}::{name}() is in " + " and ".join(map(str, files)))
    print(f"{checked} sources in {len(together)} units, {clashes} clashes")
    return 1 if clashes else 0


if __name__ == "__main__":
    sys.exit(main())
