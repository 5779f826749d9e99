# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
"""What test cases share: a daemon for all tests of a class, and counts of what programs did."""

import contextlib
import unittest

import envoy
import mesh
import node


class DaemonTest(unittest.TestCase):
    """One daemon for all tests of the class, on a file that they may change."""

    daemon = None
    file = node.DIRECTORY / "configuration"
    flag = "--mesh-file"
    arguments = ()
    options = {}

    @classmethod
    def setUpClass(cls):
        node.write(cls.file, cls.content())
        cls.daemon = node.Daemon(*cls.arguments, source=(cls.flag, cls.file), **cls.options)
        cls.addClassCleanup(cls.stop)

    @classmethod
    def stop(cls):
        cls.daemon.remove()
        cls.file.unlink(missing_ok=True)

    @classmethod
    def content(cls):
        raise NotImplementedError

    @contextlib.contextmanager
    def counted(self, reason, times):
        """A reason comes up as often as that in the block."""
        before = self.daemon.reasons().get(reason, 0)
        yield
        self.assertEqual(self.daemon.reasons().get(reason, 0) - before, times, reason)

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
