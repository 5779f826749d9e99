# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
"""Gives the module's reader what the waypoint's tests give theirs: both take and refuse the same requests.

agree.py LIBRARY: a shared object of kmesh_http.c.
"""

import ctypes
import pathlib
import re
import sys

SOURCE = pathlib.Path(__file__).parents[2] / "Tests/WaypointProxyTests/RequestParserTests.swift"
COMPLETE, REFUSED = 1, 2
TEXT = r'"((?:[^"\\]|\\.)*)"'

AFTER_HOST = "POST / HTTP/1.1\r\nHost: a\r\n{}\r\n\r\n"

# The test's function, what follows the text in its table, how the text becomes a request, and the verdict.
TABLES = (
    ("targets", r'\s*"', "{}", COMPLETE),
    ("requestLineIsRefused", r"\s*\.", "{}\r\nHost: a\r\n\r\n", REFUSED),
    ("headerLineIsRefused", r"\s*\.", AFTER_HOST, REFUSED),
    ("framingIsRefused", r"\s*\.", AFTER_HOST, REFUSED),
    ("hostIsRefused", r"\s*\.", "GET / HTTP/1.1\r\n{}\r\n", REFUSED),
    ("framing", r"\s*\.", AFTER_HOST, COMPLETE),
    ("upgrades", r"\s*(?:true|false)", AFTER_HOST, COMPLETE),
)


def unescaped(text):
    text = re.sub(r"\\u\{([0-9a-f]+)\}", lambda found: chr(int(found[1], 16)), text)
    return re.sub(r"\\(.)", lambda found: {"r": "\r", "n": "\n", "t": "\t"}.get(found[1], found[1]), text)


def table(source, function):
    end = source.index(f"func {function}(")
    return source[source.rindex("@Test(", 0, end):end]


def main():
    library = ctypes.CDLL(sys.argv[1])
    source = SOURCE.read_text(encoding="utf-8")
    count = differences = 0
    for function, following, frame, wanted in TABLES:
        cases = re.findall(rf"\({TEXT},{following}", table(source, function))
        if not cases:
            sys.exit(f"{SOURCE}: no table before {function}")
        for case in cases:
            request = frame.format(unescaped(case)).encode()
            # A struct kmesh_http is far smaller.
            verdict = library.kmesh_http_read(ctypes.create_string_buffer(16384), request, len(request))
            count += 1
            if verdict != wanted:
                differences += 1
                print(f"{function}: verdict {verdict} instead of {wanted}: {request}", file=sys.stderr)
    print(f"as the waypoint: {count - differences} of {count} requests")
    return differences > 0


sys.exit(main())
