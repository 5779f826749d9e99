"""bpf(2) for the harness: pinned objects, lookups, run-time statistics of programs, memory of maps."""

import ctypes
import errno
import os
import platform
import struct

from place import CannotMeasure

SYSCALL = {"x86_64": 321, "aarch64": 280}
MAP_LOOKUP_ELEM, PROG_LOAD, OBJ_GET, PROG_TEST_RUN, PROG_GET_FD_BY_ID = 1, 5, 7, 10, 13
OBJ_GET_INFO_BY_FD, ENABLE_STATS = 15, 32

_libc = ctypes.CDLL(None, use_errno=True)


class _Path(ctypes.Structure):
    _fields_ = [("path", ctypes.c_uint64), ("fd", ctypes.c_uint32), ("flags", ctypes.c_uint32)]


class _Element(ctypes.Structure):
    _fields_ = [("fd", ctypes.c_uint32), ("pad", ctypes.c_uint32), ("key", ctypes.c_uint64),
                ("value", ctypes.c_uint64), ("flags", ctypes.c_uint64)]


class _Query(ctypes.Structure):
    _fields_ = [("fd", ctypes.c_uint32), ("length", ctypes.c_uint32), ("answer", ctypes.c_uint64)]


class _TestRun(ctypes.Structure):
    _fields_ = [("fd", ctypes.c_uint32), ("result", ctypes.c_uint32), ("size_in", ctypes.c_uint32),
                ("size_out", ctypes.c_uint32), ("bytes_in", ctypes.c_uint64), ("bytes_out", ctypes.c_uint64),
                ("repeat", ctypes.c_uint32), ("duration", ctypes.c_uint32), ("hook_size_in", ctypes.c_uint32),
                ("hook_size_out", ctypes.c_uint32), ("hook_in", ctypes.c_uint64), ("hook_out", ctypes.c_uint64)]


class _Load(ctypes.Structure):
    _fields_ = [("type", ctypes.c_uint32), ("count", ctypes.c_uint32), ("instructions", ctypes.c_uint64),
                ("license", ctypes.c_uint64), ("log", ctypes.c_uint32 * 6), ("name", ctypes.c_char * 16)]


class _Number(ctypes.Structure):
    _fields_ = [("number", ctypes.c_uint32), ("pad", ctypes.c_uint32 * 3)]


def _bpf(number, attributes, what):
    result = _libc.syscall(
        SYSCALL[platform.machine()], number, ctypes.byref(attributes), ctypes.sizeof(attributes))
    if result < 0:
        raise CannotMeasure(f"{what}: {os.strerror(ctypes.get_errno())}")
    return result


def open_pin(path):
    text = ctypes.create_string_buffer(os.fsencode(path))
    return _bpf(OBJ_GET, _Path(ctypes.addressof(text)), f"open the pin {path}")


class PinnedMap:
    """Lookups in one pinned map with keys and values of a fixed size."""

    def __init__(self, path, key_size, value_size):
        self._descriptor = open_pin(path)
        self._path = path
        self._key = ctypes.create_string_buffer(key_size)
        self._value = ctypes.create_string_buffer(value_size)
        self._element = _Element(
            self._descriptor, 0, ctypes.addressof(self._key), ctypes.addressof(self._value))
        self._reference = ctypes.byref(self._element)
        self._syscall = SYSCALL[platform.machine()]

    def lookup(self, key):
        """The value's bytes; None when there is no such key."""
        ctypes.memmove(self._key, key, len(key))
        if _libc.syscall(self._syscall, MAP_LOOKUP_ELEM, self._reference, ctypes.sizeof(_Element)) == 0:
            return self._value.raw
        if ctypes.get_errno() == errno.ENOENT:
            return None
        raise CannotMeasure(f"look up in {self._path}: {os.strerror(ctypes.get_errno())}")

    def close(self):
        os.close(self._descriptor)


def program_of_link(path):
    """A descriptor of the program that a pinned link keeps attached."""
    LINK_TYPE_AND_ID_AND_PROGRAM = 3
    link = open_pin(path)
    try:
        answer = (ctypes.c_uint32 * 64)()
        query = _Query(link, ctypes.sizeof(answer), ctypes.addressof(answer))
        _bpf(OBJ_GET_INFO_BY_FD, query, f"ask the link {path}")
        program = answer[LINK_TYPE_AND_ID_AND_PROGRAM - 1]
        return _bpf(PROG_GET_FD_BY_ID, _Number(program), f"open the program {program} of {path}")
    finally:
        os.close(link)


def test_run(program, packet=b"", hook=b"", repeat=1):
    """(result, nanoseconds of one run) of a program on a packet, or on the struct of its hook."""
    packet_in = ctypes.create_string_buffer(packet, len(packet)) if packet else None
    hook_in = ctypes.create_string_buffer(hook, len(hook)) if hook else None
    run = _TestRun(program, 0, len(packet), 0, ctypes.addressof(packet_in) if packet else 0, 0, repeat, 0,
                   len(hook), 0, ctypes.addressof(hook_in) if hook else 0, 0)
    _bpf(PROG_TEST_RUN, run, "run a program")
    return run.result, run.duration


def load_empty_xdp():
    """A program that lets every packet pass: what the test run itself costs."""
    XDP, XDP_PASS = 6, 2
    code = ctypes.create_string_buffer(struct.pack("=BBhi", 0xb7, 0, 0, XDP_PASS) + struct.pack("=BBhi", 0x95, 0, 0, 0))
    text = ctypes.create_string_buffer(b"GPL")
    return _bpf(PROG_LOAD, _Load(XDP, 2, ctypes.addressof(code), ctypes.addressof(text)), "load a program")


def fields(descriptor):
    """The numbers that /proc tells about a map or program."""
    with open(f"/proc/self/fdinfo/{descriptor}") as lines:
        pairs = [line.split(":", 1) for line in lines if ":" in line]
    return {name: int(value) for name, value in pairs if value.strip().isdigit()}


def run_time(program):
    """(nanoseconds, runs) of a program since it was loaded, as far as statistics were on."""
    found = fields(program)
    return found["run_time_ns"], found["run_cnt"]


def map_memory(directory):
    """Bytes of all maps that are pinned in `directory`."""
    total = 0
    for path in directory.iterdir():
        descriptor = open_pin(path)
        total += fields(descriptor).get("memlock", 0)
        os.close(descriptor)
    return total


class Statistics:
    """Run-time statistics are kept while this is open; the kernel turns them off with the last user."""

    def __enter__(self):
        RUN_TIME = 0
        self._descriptor = _bpf(ENABLE_STATS, _Number(RUN_TIME), "enable BPF statistics")
        return self

    def __exit__(self, *_):
        os.close(self._descriptor)
