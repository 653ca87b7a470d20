"""The answer to `check --staged` when git's index holds what it held when all was well. Imports os and sys alone.

What is staged is judged by content, and git's index names content by digest: the same digests give the same answer. So
a check that found nothing to say leaves a memo of the entries that it looked at, and the next one compares them with
the index as it is, without starting git. The memo is bytes, its fields divided by NUL::

    edgetpu-build staged 1
    version of edgetpu-build
    root of the project
    names | below              which entries matter: those named, or all under the root (where globs may match)
    summary                    what to print
    count, name ...            names that matter, there or not, relative to the top of the working tree
    entry ...                  mode, object id, stage and name of those that are there

The hook judges every project of a repository. Its memo names them, and holds all entries called pyproject.toml: the
same ones hold the same projects::

    edgetpu-build hook 1, version, top, count, root ..., entry ...

An index that is written in a way not understood here (split, sparse, version 4, SHA-256) is no index, a memo that
cannot be read is no memo: git is asked then. https://git-scm.com/docs/index-format
"""

import os

from edgetpu_build import __version__, noop

TYPE_CHECKING = False  # typing's own would have to be imported
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from edgetpu_build.engine.outcome import Outcome

    Entries = dict[bytes, bytes]

MAGIC = b"edgetpu-build staged 1"
HOOK_MAGIC = b"edgetpu-build hook 1"
MOST = 20_000
"""Entries; a larger index takes longer to read than git needs to answer."""

_FIXED = 62
_EXTENDED = 0x4000
_STAGE = 0x3000


def answer_here() -> "str | None":
    """``answer`` for the nearest project from the working directory up."""
    folder = os.getcwd()
    while not os.path.exists(os.path.join(folder, "pyproject.toml")):
        parent = os.path.dirname(folder)
        if parent == folder:
            return None
        folder = parent
    return answer(os.path.realpath(folder), os.environ)


def answer(root: str, environ: "Mapping[str, str]") -> "str | None":
    """What a check of this project's staged files would print, if it would find all in order; None: ask git."""
    if noop.switched(environ):
        return None
    try:
        with open(memo_path(root, environ), "rb") as file:
            memo = file.read()
        magic, version, where, scope, text, count, *rest = memo.split(b"\0")
        if magic != MAGIC or version != __version__.encode() or where != os.fsencode(root):
            return None
        names = rest[: int(count)]
        found = entries(root, environ)
        if found is None or memo != write(root, found, names, below=scope == b"below", summary=text.decode()):
            return None
    except (OSError, ValueError):
        return None
    return text.decode()


def all_in_order(environ: "Mapping[str, str]") -> bool:
    """Whether the hook would find nothing to say in any project of the repository around the working directory."""
    try:
        top = os.path.realpath(_top(os.getcwd()))
        with open(_hook_path(top, environ), "rb") as file:
            memo = file.read()
        count, *rest = memo.split(b"\0")[3:]
        roots = [os.fsdecode(root) for root in rest[: int(count)]]
    except (OSError, ValueError):
        return False
    found = entries(top, environ)
    same = found is not None and memo == _hook_memo(top, found, roots)
    return same and all(answer(root, environ) for root in roots)


def remember_all(roots: "Iterable[str]", environ: "Mapping[str, str]") -> None:
    """Keep the memo of a hook's run that judged these projects and had nothing to say."""
    from contextlib import suppress

    from edgetpu_build import files
    from edgetpu_build.errors import EdgeTpuBuildError

    with suppress(OSError, EdgeTpuBuildError):
        top = os.path.realpath(_top(os.getcwd()))
        found = entries(top, environ)
        if found is not None:
            files.write_atomic(_hook_path(top, environ), _hook_memo(top, found, list(roots)))


def _hook_path(top: str, environ: "Mapping[str, str]") -> str:
    return os.path.join(noop.state_dir(top, environ), "hook")


def _hook_memo(top: str, found: "Entries", roots: "list[str]") -> bytes:
    projects = [found[name] + name for name in sorted(found) if name.rpartition(b"/")[2] == b"pyproject.toml"]
    head = [HOOK_MAGIC, __version__.encode(), os.fsencode(top), b"%d" % len(roots), *map(os.fsencode, roots)]
    return b"\0".join([*head, *projects])


def write(root: str, found: "Mapping[bytes, bytes]", names: "Iterable[bytes]", *, below: bool, summary: str) -> bytes:
    """The memo of an index. ``names`` are relative to the top of the working tree, as ``found``'s keys are."""
    wanted = list(names)
    prefix = found[b""]
    matter = [name for name in found if name.startswith(prefix)] if below else wanted
    kept = [found[name] + name for name in sorted({*matter, *wanted}) if name and name in found]
    head = [MAGIC, __version__.encode(), os.fsencode(root), b"below" if below else b"names", summary.encode()]
    return b"\0".join([*head, b"%d" % len(wanted), *wanted, *kept])


def remember(root: str, environ: "Mapping[str, str]", outcome: "Outcome", before: "Entries | None") -> None:
    """Keep the memo of a check of all that is staged, if it had nothing to say. ``before``: the index that it judged.

    None is kept where more than the index decides: growth is measured against another commit's lock, and sources
    outside of the project are looked for in the working tree.
    """
    from contextlib import suppress
    from pathlib import Path

    from edgetpu_build import files
    from edgetpu_build.engine import git
    from edgetpu_build.errors import EdgeTpuBuildError

    members = [member for unit in outcome.units for member in unit.members]
    in_order = not outcome.all_diagnostics and all(unit.state == "fresh" for unit in outcome.units)
    outside = any(member.source.startswith(("../", "/")) for member in members)
    if before is None or not in_order or outside or noop.switched(environ) or before != entries(root, environ):
        return
    if b"growth" in (git.show(Path(root), "", "pyproject.toml", environ) or b"growth"):
        return
    paths = ["pyproject.toml", "edgetpu.lock", *(member.source for member in members)]
    paths += [output.path for member in members for output in (*member.outputs, *member.logs)]
    names = sorted({before[b""] + os.fsencode(path) for path in paths})
    below = any("[" in member.name for member in members)  # a glob's: any file may be its next match
    memo = write(root, before, names, below=below, summary=noop.summary(len(outcome.units)))
    with suppress(EdgeTpuBuildError):
        files.write_atomic(memo_path(root, environ), memo)


def memo_path(root: str, environ: "Mapping[str, str]") -> str:
    return os.path.join(noop.state_dir(root, environ), "entries")


def entries(root: str, environ: "Mapping[str, str]") -> "Entries | None":
    """Name -> mode, object id and stage of all in the index; the key b"" holds the project's prefix.

    None where there is no repository, or an index that is not understood.
    """
    try:
        top = _top(root)
        with open(_index_file(top, environ), "rb") as file:
            found = parse(file.read())
    except (OSError, ValueError):
        return None
    if found is not None:
        below = os.path.relpath(root, top)
        found[b""] = b"" if below == "." else os.fsencode(below) + b"/"
    return found


def parse(data: bytes) -> "Entries | None":
    """The entries of an index file of version 2 or 3, as ``entries`` has them; None if it is anything else."""
    count = int.from_bytes(data[8:12], "big")
    if data[:4] != b"DIRC" or data[4:8] not in (b"\0\0\0\2", b"\0\0\0\3") or count > MOST:
        return None
    found: Entries = {}
    at = 12
    for _ in range(count):
        flags = int.from_bytes(data[at + 60 : at + 62], "big")
        start = at + _FIXED + (2 if flags & _EXTENDED else 0)
        end = data.find(b"\0", start)
        if end <= start:
            return None
        head = b"%s %s %d\t" % (
            data[at + 24 : at + 28].hex().encode(),
            data[at + 40 : at + 60].hex().encode(),
            flags & _STAGE,
        )
        found[data[start:end]] = found.get(data[start:end], b"") + head
        at += (end - at) // 8 * 8 + 8
    return found if _known_to_the_end(data, at) else None


def _known_to_the_end(data: bytes, at: int) -> bool:
    """Whether only extensions follow that may be left unread (capitals begin their names), then 20 bytes of digest."""
    while at < len(data) - 20:
        if not data[at : at + 1].isupper():
            return False
        at += 8 + int.from_bytes(data[at + 4 : at + 8], "big")
    return at == len(data) - 20


def _top(folder: str) -> str:
    while not os.path.exists(os.path.join(folder, ".git")):
        parent = os.path.dirname(folder)
        if parent == folder:
            raise FileNotFoundError(".git")
        folder = parent
    return folder


def _index_file(top: str, environ: "Mapping[str, str]") -> str:
    """Where git looks: it names another index in GIT_INDEX_FILE for `git commit FILE`. ValueError for odd set-ups."""
    folder = os.path.join(top, ".git")
    if os.path.isfile(folder):  # of a linked working tree or a submodule
        with open(folder, encoding="utf-8") as file:
            folder = os.path.join(top, file.read().removeprefix("gitdir:").strip())
    chosen = environ.get("GIT_INDEX_FILE") or os.path.join(folder, "index")
    elsewhere = environ.get("GIT_WORK_TREE") or environ.get("GIT_OBJECT_DIRECTORY")
    other = environ.get("GIT_DIR") and not os.path.samefile(environ["GIT_DIR"], folder)
    relative = not os.path.isabs(chosen) and os.path.realpath(os.getcwd()) != os.path.realpath(top)
    if elsewhere or other or relative:
        raise ValueError("not the plain repository around the project")
    return chosen
