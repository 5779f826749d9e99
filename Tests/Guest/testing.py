# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
"""What test cases share: a daemon for all tests of a class, and counts of what programs did."""

import contextlib
import os
import shutil
import unittest

import envoy
import mesh
import node


class DaemonTest(unittest.TestCase):
    """One daemon for all tests of the class, on a file that they may change."""

    daemon = None
    file = node.DIRECTORY / "configuration"
    flag = "--mesh-file"
    # What the daemon is started with.
    arguments = ()
    options = {}
    # Nobody after it can use its daemon.
    is_alone = False

    @classmethod
    def setUpClass(cls):
        """A daemon takes long to start, so one that runs with the same flags is given the class's file."""
        key = (cls.flag, tuple(cls.arguments), tuple(cls.options.items()))
        if node.Daemon.key == key and node.Daemon.current:
            cls.daemon = node.Daemon.current
            node.Daemon.key = None if cls.is_alone else key
            if cls.file.read_text() != cls.content():
                cls.daemon.apply(cls.file, cls.content())
            return
        if node.Daemon.current:
            node.Daemon.current.remove()
        node.write(cls.file, cls.content())
        node.Daemon.key = None if cls.is_alone else key
        cls.daemon = node.Daemon(*cls.arguments, source=(cls.flag, cls.file), **cls.options)

    @classmethod
    def content(cls):
        raise NotImplementedError

    @contextlib.contextmanager
    def counted(self, reason, times):
        """A reason comes up as often as that in the block."""
        before = self.daemon.reasons().get(reason, 0)
        yield
        self.assertEqual(self.daemon.reasons().get(reason, 0) - before, times, reason)

    def need(self, program, package):
        """A test that cannot run says so, and fails where everything should be installed."""
        if not shutil.which(program):
            self.cannot(f"{program} is missing: apt-get install {package}")

    def cannot(self, why):
        if os.environ.get("CI"):
            self.fail(why)
        self.skipTest(why)

    def assertVerified(self):
        self.assertEqual(self.daemon.ask("verify")["differences"], [])


class MeshFileTest(DaemonTest):
    mesh = []
    file = node.DIRECTORY / "mesh.json"

    @classmethod
    def content(cls):
        return mesh.text(*cls.mesh)

    def apply(self, *objects):
        """Another mesh, once it is in force. Seconds."""
        return self.daemon.apply(self.file, mesh.text(*objects))


class StaticTest(DaemonTest):
    file = node.DIRECTORY / "static.json"
    flag = "--static-xds"
    listeners, clusters = [], []

    @classmethod
    def content(cls):
        return envoy.text(cls.listeners, cls.clusters)

    def apply(self, listeners, clusters):
        """Another configuration, once it is in force. Seconds."""
        return self.daemon.apply(self.file, envoy.text(listeners, clusters))
