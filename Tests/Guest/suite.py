# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
"""Runs the tests that a pattern chooses, in one node, and says how long each took."""

import sys
import time
import unittest

import node

MODULES = ["test_mesh", "test_clients", "test_robustness", "test_modes", "test_static", "test_balancing",
           "test_fallback"]


class Result(unittest.TextTestResult):
    def startTest(self, test):
        self._started = time.monotonic()
        super().startTest(test)

    def addSuccess(self, test):
        unittest.TestResult.addSuccess(self, test)
        self.stream.writeln(f"ok, {time.monotonic() - self._started:.1f} s")
        self.stream.flush()


def main():
    loader = unittest.TestLoader()
    if sys.argv[1:]:
        loader.testNamePatterns = [each if "*" in each else f"*{each}*" for each in sys.argv[1:]]
    tests = loader.loadTestsFromNames(MODULES)
    if not tests.countTestCases():
        sys.exit(f"no test has {' or '.join(sys.argv[1:])} in its name")
    began = time.monotonic()
    place = node.Node()
    print(f"[the node is there after {time.monotonic() - began:.1f} s]", flush=True)
    try:
        done = unittest.TextTestRunner(stream=sys.stdout, verbosity=2, resultclass=Result).run(tests)
    finally:
        place.close()
    sys.exit(0 if done.wasSuccessful() else 1)


if __name__ == "__main__":
    main()
