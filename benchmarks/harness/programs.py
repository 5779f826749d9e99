"""The C programs of the benchmarks."""

import shutil

from place import BUILD, ROOT, CannotMeasure, command


def build(name):
    """The program of `benchmarks/NAME.c`, compiled when it is older than its source."""
    source, program = ROOT / "benchmarks" / f"{name}.c", BUILD / name
    BUILD.mkdir(parents=True, exist_ok=True)
    if program.exists() and program.stat().st_mtime > source.stat().st_mtime:
        return program
    compiler = shutil.which("cc") or shutil.which("clang")
    if compiler is None:
        raise CannotMeasure("no C compiler: neither cc nor clang is in PATH")
    command(compiler, "-O2", "-Wall", "-Werror", "-o", program, source)
    return program
