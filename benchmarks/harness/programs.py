"""The C programs of the benchmarks."""

import shutil

from place import BUILD, ROOT, CannotMeasure, command


def build(name, *libraries):
    """The program of `benchmarks/NAME.c`, compiled when it is older than its source."""
    return _build(f"{name}.c", name, ("cc", "clang"), *(f"-l{library}" for library in libraries))


def build_bpf(name):
    """The BPF object of `benchmarks/NAME.bpf.c`."""
    return _build(f"{name}.bpf.c", f"{name}.bpf.o", ("clang",), "-g", "-target", "bpf", "-mcpu=v3", "-c",
                  f"-I{ROOT / 'bpf/vmlinux'}")


def _build(source, made, compilers, *arguments):
    source, made = ROOT / "benchmarks" / source, BUILD / made
    BUILD.mkdir(parents=True, exist_ok=True)
    if made.exists() and made.stat().st_mtime > source.stat().st_mtime:
        return made
    compiler = next(filter(None, map(shutil.which, compilers)), None)
    if compiler is None:
        raise CannotMeasure(f"no C compiler: {' and '.join(compilers)} are not in PATH")
    command(compiler, "-O2", "-Wall", "-Werror", "-o", made, source, *arguments)
    return made
