"""The daemon of the last commit that had another layout of the maps."""

import re
import shutil

from place import BUILD, ROOT, CannotMeasure, command, say

HEADER = "bpf/include/kmesh/abi/layout.h"


def daemon():
    """Its program, built from the history once and kept."""
    commit, layout = _commit()
    source, output = BUILD / f"layout-{layout}", BUILD / f"layout-{layout}-build"
    program = output / "release" / "kmesh-daemon"
    if (source / ".commit").exists() and (source / ".commit").read_text() == commit and program.exists():
        return program, layout
    say(f"building kmesh-daemon of {commit[:12]}, the last commit with layout {layout}")
    shutil.rmtree(source, ignore_errors=True)
    _git("worktree", "prune")
    _git("worktree", "add", "--detach", source, commit)
    command("swift", "build", "-c", "release", "--product", "kmesh-daemon", "--package-path", source,
            "--scratch-path", output)
    (source / ".commit").write_text(commit)
    return program, layout


def _commit():
    """The parent of the commit that gave the maps their present layout, and its layout."""
    present = _layout((ROOT / HEADER).read_text())
    found = _git("log", "--format=%H", f"-SKMESH_LAYOUT_VERSION = {present} ", "--", HEADER).split()
    if not found:
        raise CannotMeasure(f"the history does not show where layout {present} began")
    commit = _git("rev-parse", f"{found[-1]}^").strip()
    return commit, _layout(_git("show", f"{commit}:{HEADER}"))


def _layout(text):
    return int(re.search(r"KMESH_LAYOUT_VERSION = (\d+)", text)[1])


def _git(*words):
    try:
        return command("git", "-C", ROOT, *words)
    except (CannotMeasure, FileNotFoundError) as error:
        raise CannotMeasure(f"no history to build an earlier layout from: {error}") from None
