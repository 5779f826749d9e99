"""The daemon's admin socket: a length and that many bytes of JSON, in both directions."""

import json
import socket
import struct

from place import CannotMeasure

PATIENCE_S = 120


def ask(path, request):
    """The answer to a request without parameters; also of a daemon that `kmeshctl` of this build does not know."""
    body = json.dumps({"request": request}).encode()
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(PATIENCE_S)
            client.connect(str(path))
            client.sendall(struct.pack("!I", len(body)) + body)
            size = struct.unpack("!I", _read(client, 4))[0]
            answer = json.loads(_read(client, size))
    except OSError as error:
        raise CannotMeasure(f"ask the daemon at {path}: {error}") from None
    if "error" in answer:
        raise CannotMeasure(f"the daemon at {path} refuses {request}: {answer['error']['message']}")
    return answer


def _read(client, size):
    found = b""
    while len(found) < size:
        piece = client.recv(size - len(found))
        if not piece:
            raise ConnectionResetError("it ended before its answer did")
        found += piece
    return found
