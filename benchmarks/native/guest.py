"""In the guest: what a connection costs, by its instructions. Prints a line of JSON for each side, and for each that
cannot be measured. Usage: guest.py CONNECTIONS MODULE SCENARIO..."""

import json
import subprocess
import sys

import daemon as daemons
import proxies
import shop
from daemon import Daemon
from load import PROGRAM as LOAD
from namespaces import wait_for_port
from network import HOSTS, Network
from place import CannotMeasure, Place, command, say
from processes import end, run, start
from shop import LOCAL, LOCAL6, REMOTE, SERVERS, Asked, Shop

EXCHANGE, FLOOR = LOAD.with_name("exchange"), LOAD.with_name("floor")
CLIENT = f"{HOSTS}.3"
TCP_LISTENER = "172.20.8.1"
# Nothing that is optional: what it costs is in the suite observe.
QUIET = ("--disable-accesslog", "--disable-monitoring")
# See exchange.c.
SERVERS_FIRST, CLIENT_FIRST = 10, 30
KEPT = 50  # requests on one connection
PATIENCE_S = 600
# The guest's time runs ahead while it waits for files of the host.
daemons.PATIENCE_S = 6000


class Guest:
    def __init__(self, place, connections, module, scenarios):
        self._place, self._connections, self._module, self._scenarios = place, connections, module, scenarios
        # Clients and servers have a priority of their own (exchange.c), and may keep the processor.
        command("sysctl", "-q", "-w", "kernel.sched_rt_runtime_us=-1")
        self.network = Network(place)
        self.client = self.network.add_client("client", 3)
        self.waypoint = self.network.add_client("waypoint", 7)
        # As deep as the clients of daemons are: what the kernel accounts to groups grows with it.
        self._direct = place.make_cgroup("direct") / "client"
        self._direct.mkdir()
        for address in (f"{LOCAL}/32", f"{LOCAL6}/128"):
            command("ip", "-n", self.client, "addr", "add", address, "dev", "lo")
        for name, port in SERVERS.items():
            for namespace, address in ((self.client, LOCAL), (self.client, LOCAL6), (self.network.server, REMOTE)):
                start(place, namespace, [EXCHANGE, "serve", address, port, name], log="servers.log")
                wait_for_port(namespace, address, port)

    def _ask(self, asked, cgroup=None, requests=1, priority=SERVERS_FIRST):
        count = self._connections if requests == 1 else max(self._connections // 20, 10)
        words = [EXCHANGE, "connect", count, requests, priority, asked.address, asked.port, asked.names, asked.target,
                 *shop.HEADERS, *asked.headers]
        return json.loads(run(self._place, self.client, words, PATIENCE_S, cgroup or self._direct))

    def measure(self, side, asked, cgroup=None, requests=1):
        """What a connection with that many requests costs, and what the later ones do."""
        try:
            found = self._ask(asked, cgroup, requests)
            client_first = self._ask(asked, cgroup, requests, CLIENT_FIRST)
            print(json.dumps({"side": side, **found, "client_first": client_first}), flush=True)
        except CannotMeasure as error:
            print(json.dumps({"side": side, "missing": str(error)}), flush=True)

    def part(self, name, action):
        if name not in self._scenarios:
            return
        say(f"  {name}")
        try:
            action()
        except CannotMeasure as error:
            print(json.dumps({"side": name, "missing": str(error)}), flush=True)

    def direct(self, suffix=""):
        """Before anything is loaded, and once more after everything is gone."""
        port = SERVERS[shop.ROUTED]
        # The kernel's caches fill first.
        self._ask(Asked(LOCAL, port=port))
        self.measure(f"direct{suffix}", Asked(LOCAL, port=port))
        self.measure(f"pods_direct{suffix}", Asked(REMOTE, port=port))
        if not suffix:
            self.measure("direct6", Asked(LOCAL6, port=port))
            self.measure("kept_direct", Asked(LOCAL, port=port), requests=KEPT)

    def floor(self):
        """What a program at connect() costs that does nothing, and one that only notes what was dialed."""
        parent = self._place.make_cgroup("floor")
        cgroup = parent / "client"
        cgroup.mkdir()
        for name in ("empty", "note"):
            with subprocess.Popen([FLOOR, FLOOR.with_suffix(".bpf.o"), f"floor_{name}", parent], text=True,
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
                if not process.stdout.readline():
                    raise CannotMeasure(f"the program {name} could not be attached")
                self.measure(f"floor_{name}", Asked(LOCAL, port=SERVERS[shop.ROUTED]), cgroup)

    def native(self):
        found = Shop()
        matches = shop.ten()
        found.add("l4", LOCAL)
        found.add("ten", LOCAL, matches=matches)
        found.add("thousand", LOCAL, matches=shop.thousand())
        found.add("headers", LOCAL, matches=shop.thousand_headers())
        found.add("ten6", LOCAL6, matches=matches)
        found.add("pods-l4", REMOTE)
        found.add("pods-ten", REMOTE, matches=matches)
        daemon = self._start_daemon("native", found, "kernel-native", f"--load-module={self._module}")
        to = found.addresses
        worst = {"target": "/returns/of/admin/reports/daily"}
        rows = {
            "untouched": Asked(LOCAL, port=SERVERS[shop.ROUTED]),
            "pods_untouched": Asked(REMOTE, port=SERVERS[shop.ROUTED]),
            "l4": Asked(to["l4"], names=shop.DEFAULT),
            "ten_typical": Asked(to["ten"]), "ten_worst": Asked(to["ten"], **worst),
            "thousand_typical": Asked(to["thousand"], target="/products/0499/x"),
            "thousand_worst": Asked(to["thousand"], **worst),
            **{f"headers_{name}": Asked(to["headers"], headers=(f"X-Tenant: tenant-{number:04}",))
               for name, number in (("first", 0), ("middle", 499), ("last", 999))},
            "ten6": Asked(to["ten6"]),
            "pods_l4": Asked(to["pods-l4"], names=shop.DEFAULT), "pods_ten": Asked(to["pods-ten"]),
        }
        for side, asked in rows.items():
            self.measure(side, asked, daemon.client_cgroup)
        for side, asked in {"kept_untouched": rows["untouched"], "kept_ten": rows["ten_typical"]}.items():
            self.measure(side, asked, daemon.client_cgroup, requests=KEPT)
        self._stop_daemon(daemon)

    def protected(self):
        """The same where a policy protects the client: a program at its interface sees each packet."""
        found = Shop()
        found.add("l4", LOCAL)
        found.add("pods-l4", REMOTE)
        found.objects.append(shop.LET_ALL_IN)
        daemon = self._start_daemon("xdp", found, "kernel-native", f"--load-module={self._module}")
        port = SERVERS[shop.ROUTED]
        rows = {"xdp_untouched": Asked(LOCAL, port=port), "xdp_pods_untouched": Asked(REMOTE, port=port),
                "xdp_l4": Asked(found.addresses["l4"], names=shop.DEFAULT)}
        for side, asked in rows.items():
            self.measure(side, asked, daemon.client_cgroup)
        self.measure("kept_xdp_untouched", rows["xdp_untouched"], daemon.client_cgroup, requests=KEPT)
        self._stop_daemon(daemon)

    def passing(self):
        path = self._place.directory / "listener.json"
        path.write_text(json.dumps(shop.passing_listener(TCP_LISTENER, LOCAL)))
        daemon = Daemon(self._place, self.network, "passing", path, *QUIET, f"--load-module={self._module}",
                        mode="kernel-native", source="--static-xds")
        self.enroll(daemon)
        self.measure("passing", Asked(TCP_LISTENER), daemon.client_cgroup)
        self._stop_daemon(daemon)

    def dual(self):
        found = Shop()
        found.add("l4", LOCAL)
        found.add("pods-l4", REMOTE)
        daemon = self._start_daemon("dual", found, "dual-engine")
        self.measure("dual_l4", Asked(found.addresses["l4"], names=shop.DEFAULT), daemon.client_cgroup)
        self.measure("dual_pods_l4", Asked(found.addresses["pods-l4"], names=shop.DEFAULT), daemon.client_cgroup)
        self._stop_daemon(daemon)

    def through_waypoint(self):
        found = Shop()
        found.add("pods-ten", REMOTE, matches=shop.ten(), labels={"istio.io/use-waypoint": "waypoint"})
        found.objects += proxies.gateway()
        daemon = self._start_daemon("waypoint", found, "dual-engine")
        process = proxies.start_waypoint(self._place, self.waypoint, self._place.directory / "shop-waypoint")
        asked = Asked(found.addresses["pods-ten"])
        self.measure("pods_waypoint", asked, daemon.client_cgroup)
        self.measure("kept_waypoint", asked, daemon.client_cgroup, requests=KEPT)
        end(process)
        self._stop_daemon(daemon)

    def through_envoys(self):
        processes = proxies.start_envoys(self._place, self.client, self.network.server, shop.ten())
        asked = Asked("127.0.0.1", port=proxies.OUTBOUND)
        self.measure("pods_envoys", asked)
        self.measure("kept_envoys", asked, requests=KEPT)
        for process in processes:
            end(process)

    def _start_daemon(self, name, found, mode, *arguments):
        directory = self._place.directory / f"shop-{name}"
        found.write(directory)
        daemon = Daemon(self._place, self.network, name, directory, *QUIET, *arguments, mode=mode)
        self.enroll(daemon)
        return daemon

    def enroll(self, daemon):
        status = daemon.wait_until_configured()
        if status["rejected"]:
            raise CannotMeasure(f"the daemon refused parts of the mesh: {status['recentRejections'][:1]}")
        daemon.enroll(self.client, CLIENT)

    def _stop_daemon(self, daemon):
        reasons = {name: count for name, count in daemon.reasons().items() if count}
        say(f"  reasons: {reasons}")
        daemon.stop()
        daemon.uninstall()


def main(connections, module, *scenarios):
    place = Place()
    try:
        place.open()
        guest = Guest(place, int(connections), module, scenarios)
        guest.direct()
        guest.part("floor", guest.floor)
        guest.part("native", guest.native)
        guest.part("xdp", guest.protected)
        guest.part("passing", guest.passing)
        guest.part("dual", guest.dual)
        guest.part("waypoint", guest.through_waypoint)
        guest.part("envoys", guest.through_envoys)
        guest.direct("_again")
    finally:
        place.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
