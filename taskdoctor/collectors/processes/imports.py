"""Which files a script imports: those beside it, and packages that themselves need an SDK of MCP."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from taskdoctor.collectors.processes.python_source import Imported

MOST_IMPORTS = 24
MOST_LEVELS = 8  # of folders, upwards
_SETTINGS_BYTES = 256 * 1024
_KNOWN = sys.stdlib_module_names | {"mcp", "fastmcp"}
_REQUIRES = re.compile(r"(?mi)^Requires-Dist:\s*(?:mcp|fastmcp)\b")
_PLAIN_IMPORT = re.compile(
    r"(?m)^[ \t]{0,40}(?:from[ \t]{1,4}(\.{0,8})([\w.]{0,200})[ \t]{1,4}import[ \t]{1,4}\(?([\w., \t]{0,400})|"
    r"import[ \t]{1,4}([\w., \t]{1,400}))"
)
_INSTALLED = re.compile(r"(?P<site>.*/(?:site|dist)-packages)/(?P<package>\w+)")
_MAPPED = re.compile(r"(?m)^MAPPING[^{\n]*\{(?P<pairs>[^}\n]*)\}")
_PAIR = re.compile(r"'([\w.]+)'\s*:\s*'([^']+)'")

_JS_IMPORT = re.compile(
    r"(?:\bfrom|\bimport|\brequire(?:\.resolve)?)\s*\(?\s*[\"'](?P<name>(?:\.{1,2}/|@?[a-zA-Z])[^\"'\n]{0,200})[\"']"
)
_BOUND = (
    r"(?:import|const|let|var)\s+(?P<names>[\w\s,$:{}*]{1,400}?)\s*(?:from|=\s*(?:await\s+)?(?:import|require)\s*\()\s*"
)
_JS_SDK = re.compile(r"^@modelcontextprotocol/|^fastmcp$|^mcp-framework$")
_ALSO = {".js": (".ts", ".tsx"), ".mjs": (".mts",), ".cjs": (".cts",), ".jsx": (".tsx",)}
_ENDINGS = (".js", ".ts", ".mjs", ".cjs", ".tsx", "/index.js", "/index.ts", "/index.mjs")


# --- Python -----------------------------------------------------------------------------------------------------


def find_module(path: str, one: Imported, sites: tuple[str, ...] = ()) -> str | None:
    """The file of a module, as a script imports it; `sites`: where its interpreter has packages."""
    return _found(os.path.dirname(path), one, sites)  # noqa: PTH120 - many thousand times


@lru_cache(maxsize=16_384)
def _found(home: str, one: Imported, sites: tuple[str, ...]) -> str | None:
    parts = one.module.split(".") if one.module else []
    folder = Path(home)
    if one.dots:
        for _ in range(one.dots - 1):
            folder = folder.parent
        return _file(folder, parts)
    if not parts or parts[0] in _KNOWN:
        return None
    near = (_file(Path(root), parts) for root in _roots(str(folder)))
    found = next((file for file in near if file is not None), None)
    if found is not None:
        return found if not is_foreign(found) else None
    homes = (home for site in sites if _needs_mcp(site, parts[0]) for home in homes_of(site))
    return next((file for home in homes if (file := _file(Path(home), parts)) is not None), None)


def plain_imports(text: str) -> list[Imported]:
    """The imports of a script, told by its lines alone: quick, and good enough to ask what is worth parsing."""
    found: list[Imported] = []
    for dots, module, names, plain in _PLAIN_IMPORT.findall(text)[: 4 * MOST_IMPORTS]:
        if plain:
            found += [Imported(0, name.split()[0]) for name in plain.split(",") if name.strip()]
            continue
        prefix = f"{module}." if module else ""
        found.append(Imported(len(dots), module))
        words = [name.split()[0] for name in names.split(",") if name.strip()]
        found += [Imported(len(dots), f"{prefix}{word}") for word in words]
    return found


def main_of(root: str, module: str) -> str | None:
    """What `-m module` runs, if it lies below this folder."""
    parts = module.split(".")
    return _existing(Path(root).joinpath(*parts, "__main__.py")) or _file(Path(root), parts)


def _file(root: Path, parts: Sequence[str]) -> str | None:
    target = root.joinpath(*parts)
    plain = _existing(target.parent / f"{target.name}.py") if parts else None
    return plain or _existing(target / "__init__.py")


def _existing(path: Path) -> str | None:
    try:
        return str(path) if path.is_file() else None
    except (OSError, ValueError):
        return None


@lru_cache(maxsize=512)
def _roots(folder: str) -> tuple[str, ...]:
    """Where a module may lie: beside the script, above its package, in `src`, else in the environment it belongs to."""
    at = Path(folder)
    top = at
    for _ in range(MOST_LEVELS):
        if _existing(top / "__init__.py") is None:
            break
        top = top.parent
    found = [at, top, at / "src", at.parent, at.parent / "src"]
    if at.name in ("bin", "Scripts"):
        found = [at, *(Path(home) for site in site_folders(at.parent) for home in homes_of(str(site)))]
    return tuple(dict.fromkeys(str(each) for each in found))


@lru_cache(maxsize=256)
def site_folders(environment: Path) -> tuple[Path, ...]:
    """The folders of packages of an environment or of an interpreter."""
    try:
        found = sorted(environment.glob("lib/python3*/site-packages"))[:2]
        return (*found, *sorted(environment.glob("lib/python3*/dist-packages"))[:2])
    except OSError:
        return ()


@lru_cache(maxsize=256)
def homes_of(site: str) -> tuple[str, ...]:
    """A folder of packages, and the folders of projects that are installed there without being copied."""
    found = [site]
    try:
        for path in sorted(Path(site).glob("*.pth"))[:MOST_IMPORTS]:
            lines = path.read_text(encoding="utf-8", errors="replace")[:_SETTINGS_BYTES].splitlines()
            found += [line for line in lines if line.startswith("/")]
        for path in sorted(Path(site).glob("__editable__*finder.py"))[:MOST_IMPORTS]:
            mapped = _MAPPED.search(path.read_text(encoding="utf-8", errors="replace")[:_SETTINGS_BYTES])
            pairs = _PAIR.findall(mapped["pairs"]) if mapped is not None else []
            found += [str(Path(home).parent) for _, home in pairs]
    except OSError:
        pass
    return tuple(dict.fromkeys(found))


def is_foreign(path: str) -> bool:
    """Whether a file belongs to an installed package that needs no SDK of MCP, and so is not worth following."""
    inside = _INSTALLED.match(path)
    return inside is not None and _needs_mcp(inside["site"], inside["package"]) is False


@lru_cache(maxsize=1024)
def _needs_mcp(site: str, package: str) -> bool | None:
    """What an installed package says that it requires; None: there is no such record."""
    try:
        listed = [*Path(site).glob(f"{package.lstrip('_')}-*.dist-info/METADATA")][:2]
        told = [_REQUIRES.search(path.read_text(encoding="utf-8", errors="replace")) for path in listed]
    except (OSError, ValueError):
        return None
    return any(match is not None for match in told) if told else None


# --- JavaScript -------------------------------------------------------------------------------------------------


def javascript_imports(code: str, path: str) -> Iterator[tuple[str, bool]]:
    """(file, whether something of it is called) of what a script imports; of several endings only one is there."""
    folder = Path(path).parent
    names = list(dict.fromkeys(found["name"] for found in _JS_IMPORT.finditer(code)))[:MOST_IMPORTS]
    for name in sorted(names, key=lambda each: not each.startswith(".")):
        files: Iterable[str] = ()
        if name.startswith("."):
            files = _beside(folder, name)
        elif not _JS_SDK.match(name):
            files = _of_package(str(folder), name)
        called = _is_called(code, name)
        yield from ((file, called) for file in files)


def _is_called(code: str, name: str) -> bool:
    """Whether a script calls what it imports from there, as `start()` or `server.start()`."""
    bound = re.compile(_BOUND + r"[\"']" + re.escape(name) + r"[\"']")
    listed = (found["names"] for found in bound.finditer(code))
    names = {words[-1] for each in listed for part in each.split(",") if (words := re.findall(r"[\w$]+", part))}
    return any(re.search(rf"(?<![\w$.]){re.escape(each)}(?:\.\w+)?\s*\(", code) is not None for each in sorted(names))


def _beside(folder: Path, name: str) -> Iterator[str]:
    whole = str(folder / name)
    suffix = Path(name).suffix
    yield whole
    yield from (whole.removesuffix(suffix) + other for other in _ALSO.get(suffix, ()))
    if suffix not in _ALSO:
        yield from (whole + ending for ending in _ENDINGS)


@lru_cache(maxsize=512)
def _of_package(folder: str, name: str) -> tuple[str, ...]:
    """The entry of a package, if that needs an SDK of MCP."""
    parts = name.split("/")
    package = "/".join(parts[: 2 if name.startswith("@") else 1])
    at = Path(folder)
    for up in (at, *list(at.parents)[:MOST_LEVELS]):
        home = up / "node_modules" / package
        record = _settings(home / "package.json")
        if record is None:
            continue
        needs = [word for key in ("dependencies", "peerDependencies") for word in _keys(record.get(key))]
        if not any(_JS_SDK.match(word) for word in needs):
            return ()
        entry = name.removeprefix(package).strip("/") or _entry(record) or "index.js"
        return tuple(_beside(home, f"./{entry}"))
    return ()


def _settings(path: Path) -> dict[str, object] | None:
    try:
        if path.stat().st_size > _SETTINGS_BYTES:
            return None
        record = json.loads(path.read_text(encoding="utf-8", errors="replace"))
    except (OSError, ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _keys(record: object) -> list[str]:
    return list(record) if isinstance(record, dict) else []


def _entry(record: dict[str, object]) -> str:
    """The first path that `exports`, `module` or `main` name."""
    exports = record.get("exports")
    while isinstance(exports, dict):
        exports = next((exports[key] for key in (".", "import", "node", "require", "default") if key in exports), None)
    listed = (exports, record.get("module"), record.get("main"))
    return next((each for each in listed if isinstance(each, str)), "")
