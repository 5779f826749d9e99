#!/usr/bin/env python3
"""Lets Prometheus scrape a node, and asks it for what each panel of the dashboards shows.

dashboards.py PROGRAMS SECONDS DASHBOARD.json...

Runs in the node's network namespace, with Debian's prometheus and promtool in PROGRAMS. Prints one JSON object for each
query: dashboard, panel, query, and how many series answered; and one with what promtool complains of in the metrics.
"""

import contextlib
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

TARGET = "127.0.0.1:15020"
SERVER = "127.0.0.1:19090"


def get(path, **arguments):
    with urllib.request.urlopen(f"http://{SERVER}{path}?{urllib.parse.urlencode(arguments)}", timeout=10) as answer:
        return json.load(answer)["data"]


def concrete(query):
    """The query with a dashboard's variables as they are when all is selected."""
    query = query.replace("$__rate_interval", "10s")
    return re.sub(r"\$\{?(\w+)\}?", ".*", query)


def panels(dashboard):
    for panel in dashboard["panels"]:
        yield panel
        yield from panel.get("panels", [])


def queries(dashboard):
    for panel in panels(dashboard):
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            metric = re.match(r"label_values\((.*), \w+\)", variable["query"]["query"]).group(1)
            yield f"variable {variable['name']}", metric


def wait_until_ready():
    for _ in range(200):
        try:
            urllib.request.urlopen(f"http://{SERVER}/-/ready", timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("Prometheus does not become ready")


@contextlib.contextmanager
def prometheus(programs):
    """Scrapes the node every second."""
    with tempfile.TemporaryDirectory() as directory:
        config = pathlib.Path(directory, "prometheus.yml")
        config.write_text(
            "global: {scrape_interval: 1s}\n"
            f"scrape_configs: [{{job_name: kmesh, static_configs: [{{targets: ['{TARGET}']}}]}}]\n"
        )
        with open(f"{directory}/log", "w") as log:
            server = subprocess.Popen(
                [f"{programs}/prometheus", f"--config.file={config}", f"--web.listen-address={SERVER}",
                 f"--storage.tsdb.path={directory}/data"], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            wait_until_ready()
            yield
        finally:
            server.terminate()
            server.wait()


def main(programs, seconds, *dashboards):
    with prometheus(programs):
        time.sleep(float(seconds))
        with urllib.request.urlopen(f"http://{TARGET}/metrics", timeout=10) as page:
            check = subprocess.run([f"{programs}/promtool", "check", "metrics"], input=page.read(), capture_output=True)
        print(json.dumps({"promtool": (check.stdout + check.stderr).decode().strip(), "status": check.returncode}))
        for path in dashboards:
            dashboard = json.loads(pathlib.Path(path).read_text())
            for panel, query in queries(dashboard):
                found = get("/api/v1/query", query=concrete(query))["result"]
                print(json.dumps({"dashboard": dashboard["title"], "panel": panel, "query": query,
                                  "series": len(found)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
