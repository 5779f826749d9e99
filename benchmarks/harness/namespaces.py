"""Network namespaces: their files, and waiting for what listens in them."""

import time

from place import CannotMeasure, command


def path(namespace):
    return f"/run/netns/{namespace}"


def wait_for_port(namespace, address, port, seconds=10):
    """Until somebody listens there."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if f":{port} " in command("nsenter", f"--net={path(namespace)}", "ss", "-Hltn"):
            return
        time.sleep(0.02)
    raise CannotMeasure(f"nothing listens on {address}:{port} after {seconds} s")
