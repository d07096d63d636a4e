"""Whether a Python script reaches the start of a server in the files beside it: names followed, nothing run.

An import runs a module, but not what stands below its `if __name__ == "__main__"`, and no function that nobody calls.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from taskdoctor.collectors.processes.python_source import Body, Imported, Script

MOST_FILES = 12
MOST_STEPS = 400

Read = Callable[[str], Script | None]
Find = Callable[[str, Imported], str | None]  # the file of a module, as imported from a file


class Reach:
    """One walk, from a script to what it starts."""

    def __init__(self, path: str, read: Read, find: Find) -> None:
        self._path = path
        self._read = read
        self._find = find
        self._files: dict[str, Script | None] = {}
        self.builds: tuple[str, Script] | None = None  # a file on the way that builds a server, started or not

    def start(self) -> tuple[str, Script] | None:
        """(file, what it shows) of the first start of a server that is reached."""
        waiting: deque[tuple[str, str | None]] = deque([(self._path, None)])
        seen: set[tuple[str, str | None]] = set()
        while waiting and len(seen) < MOST_STEPS:
            step = waiting.popleft()
            if step in seen:
                continue
            seen.add(step)
            path, name = step
            script = self._script(path)
            if script is None:
                continue
            if self.builds is None and path != self._path and (script.serves or script.by_hand):
                self.builds = path, script
            if name is not None and script.by_hand:
                return path, script
            for body in self._bodies(path, script, name):
                found = self._started(path, script, body)
                if found is not None:
                    return found
                waiting.extendleft(self._named(path, script, body))
            if name is None:
                waiting.extend((file, None) for file in self._imports(path, script))
            elif name in script.imported:
                waiting.extendleft(self._behind(path, script.imported[name], ""))
        return None

    def _script(self, path: str) -> Script | None:
        if path not in self._files:
            if len(self._files) >= MOST_FILES:
                return None
            self._files[path] = self._read(path)
        return self._files[path]

    def _bodies(self, path: str, script: Script, name: str | None) -> list[Body]:
        if name is None:
            return [script.top, script.guarded] if path == self._path else [script.top]
        found = [script.bodies[name]] if name in script.bodies else []
        return found + [script.bodies[each] for each in script.registered.get(name, ()) if each in script.bodies]

    def _started(self, path: str, script: Script, body: Body) -> tuple[str, Script] | None:
        """The file that builds what this body runs."""
        for receiver in body.started:
            if receiver == "":
                return path, script
            made = script.made.get(receiver, receiver.removesuffix("()"))
            if made in script.builders:
                return path, script
            one = script.imported.get(made)
            for file, name in self._behind(path, one, "") if one is not None else []:
                there = self._script(file)
                if there is not None and name is not None and there.made.get(name, name) in there.builders:
                    return file, there
        return None

    def _named(self, path: str, script: Script, body: Body) -> list[tuple[str, str | None]]:
        found: list[tuple[str, str | None]] = []
        for whole in sorted(body.names):
            name, _, attribute = whole.partition(".")
            if not attribute and (name in script.bodies or name in script.registered):
                found.append((path, name))
            elif name in script.imported:
                found += self._behind(path, script.imported[name], attribute)
        return found

    def _behind(self, path: str, one: Imported, attribute: str) -> list[tuple[str, str | None]]:
        """What an imported name stands for: a function of a module, or a module of a package."""
        if one.name:
            module = Imported(one.dots, f"{one.module}.{one.name}".lstrip("."))
            file = self._find(path, module)
            if file is not None:
                return [(file, attribute or None)]
            file = self._find(path, Imported(one.dots, one.module))
            return [(file, one.name)] if file is not None else []
        file = self._find(path, one)
        return [(file, attribute or None)] if file is not None else []

    def _imports(self, path: str, script: Script) -> list[str]:
        files = [file for one in script.imported.values() for file, _ in self._behind(path, one, "")]
        return list(dict.fromkeys(files))
