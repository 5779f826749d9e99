/// The process around the proxy: brings its parts together until a signal, a request or a successor ends it.
public import KmeshKit
internal import Logging

public struct WaypointProcess: Sendable {
    /// What the parts ask of the whole.
    enum Command: Sendable {
        /// Take no more connections, finish what is under way, then end.
        case drain(why: String)
        case drained(completely: Bool)
        case endNow
    }

    private let options: WaypointOptions
    private let source: any ConfigurationSource
    private let levels: LogLevels
    private let record = OperationRecord()
    private let log = Logger(label: "waypoint")

    public init(_ options: WaypointOptions, source: any ConfigurationSource, levels: LogLevels) {
        self.options = options
        self.source = source
        self.levels = levels
    }

    /// Runs until SIGTERM or SIGINT, a successor, or a request to drain. The second signal ends it at once.
    public func run() async throws(WaypointError) {
        let signals = try openSignals()
        // A configuration that cannot be used ends the start before anything is taken from a predecessor.
        let first = try await readConfiguration()
        let names = StatisticNames()
        var builder = ConfigurationBuilder(options.builder, names: names, compile: RouteTable.compile)
        let configuration = builder.apply(first.changes)
        for note in first.notes { log.warning("\(note)") }
        for fault in builder.faults { log.error("a route never matches: \(fault)") }
        record.applied()

        let accessLog = try openAccessLog()
        let takeover = try await Takeover.begin(options.upgradeSocket)
        let parts = try open(configuration, takeover)
        if let accessLog { parts.proxy.log(options.accessLog, to: accessLog) }
        do throws(ProxyError) { try parts.proxy.start() } catch { throw .proxy(error) }
        try await takeover.takeOver()
        let handover = try openHandover()
        // Whatever fails before this leaves the predecessor at work.
        await takeover.settle()
        record.enter(.serving)
        warnOfUnknownServices(configuration)
        sayReady(parts.proxy)

        let service = StatusService(
            proxy: parts.proxy, options: options, record: record, names: names, levels: levels)
        await serve(
            parts, service, signals,
            Followers(builder: builder, handover: handover, accessLog: accessLog))
        await parts.proxy.stop()
        handover?.close()
        log.info("ended")
    }

    private struct Parts {
        let proxy: WaypointProxy
        let status: StatusServer
    }

    private struct Followers {
        let builder: ConfigurationBuilder
        let handover: HandoverServer?
        let accessLog: LogFile?
    }

    private func serve(
        _ parts: Parts, _ service: StatusService, _ signals: AsyncStream<ProcessSignal>,
        _ followers: Followers
    ) async {
        let (commands, orders) = AsyncStream.makeStream(of: Command.self)
        let follower = ConfigurationFollower(source, parts.proxy, record)
        let (proxy, status, record, log) = (parts.proxy, parts.status, record, log)
        let handover = followers.handover
        await withDiscardingTaskGroup { group in
            group.addTask { [builder = followers.builder] in await follower.follow(builder) }
            group.addTask {
                await status.run { request in await service.answer(request) { orders.yield($0) } }
            }
            group.addTask { [accessLog = followers.accessLog] in
                await heed(signals, accessLog, orders)
            }
            if let handover {
                let sockets = [status.sharedSockets] + proxy.sharedSockets
                let actions = HandoverServer.Actions(
                    pause: {
                        proxy.pause()
                        status.pause()
                    },
                    resume: {
                        status.resume()
                        proxy.resume()
                    },
                    finish: { orders.yield(.drain(why: "a successor has taken over")) })
                group.addTask { await handover.run(sockets, actions) }
            }
            var isDraining = false
            for await command in commands {
                switch command {
                case .drain(let why):
                    guard !isDraining else { continue }
                    isDraining = true
                    // A successor that comes now listens by itself.
                    handover?.close()
                    record.enter(.draining)
                    log.notice("draining: \(why)", metadata: ["deadline": "\(options.drainTimeout)"])
                    group.addTask { [options] in
                        orders.yield(
                            .drained(completely: await proxy.drain(deadline: options.drainTimeout)))
                    }
                    continue
                case .drained(let completely):
                    if !completely { log.warning("the deadline is over: connections are cut") }
                case .endNow:
                    log.notice("ending at once")
                }
                break
            }
            group.cancelAll()
        }
    }

    private func heed(
        _ signals: AsyncStream<ProcessSignal>, _ accessLog: LogFile?,
        _ orders: AsyncStream<Command>.Continuation
    ) async {
        var asked = false
        for await signal in signals {
            switch signal {
            case .hangUp:
                log.info("SIGHUP: reading the configuration again")
                source.reload()
            case .reopenLogs:
                do throws(Errno) {
                    try accessLog?.reopen()
                } catch {
                    log.error("cannot open the access log anew: \(error); lines go on to the old file")
                }
            case .terminate, .interrupt:
                orders.yield(asked ? .endNow : .drain(why: "a signal asks to end"))
                asked = true
            }
        }
    }

    /// A listener may wait for its service; as likely its name is misspelt.
    private func warnOfUnknownServices(_ configuration: WaypointConfiguration) {
        for listener in options.listeners {
            guard case .servicePort(let backend) = listener.kind else { continue }
            guard configuration.targets.find(backend) == nil else { continue }
            log.warning(
                "\(listener.address) leads nowhere: the mesh has no \(backend); correct --listen, or add it")
        }
    }

    private func sayReady(_ proxy: WaypointProxy) {
        log.info(
            "ready",
            metadata: [
                "listeners": "\(proxy.addresses.map(\.description).joined(separator: " "))",
                "descriptors": "\(proxy.descriptorLimit)",
            ])
    }
}

// The steps of the start.
extension WaypointProcess {
    private func openSignals() throws(WaypointError) -> AsyncStream<ProcessSignal> {
        do throws(Errno) {
            return try ProcessSignal.stream([.terminate, .interrupt, .hangUp, .reopenLogs])
        } catch {
            throw .signalsUnavailable(error)
        }
    }

    private func readConfiguration() async throws(WaypointError) -> ConfigurationUpdate {
        do throws(ConfigurationError) {
            return try await source.start()
        } catch {
            throw .badConfiguration(source: options.source, error)
        }
    }

    private func openAccessLog() throws(WaypointError) -> LogFile? {
        guard options.accessLog != .off else { return nil }
        do throws(Errno) {
            return try LogFile(options.accessLogFile)
        } catch {
            throw .accessLogUnusable(path: options.accessLogFile ?? "standard output", error)
        }
    }

    private func open(
        _ configuration: WaypointConfiguration, _ takeover: Takeover
    ) throws(WaypointError) -> Parts {
        let status: StatusServer
        do throws(Errno) {
            let inherited = takeover.take(UpgradeMessage.statusKey(options.statusAddress))
            status = try StatusServer(options.statusAddress, inherited: inherited.first)
        } catch {
            throw .statusUnavailable(options.statusAddress, error)
        }
        var listeners = options.listeners
        for place in listeners.indices {
            listeners[place].inherited = takeover.take(listeners[place].address.description)
        }
        takeover.closeUnused()
        do throws(ProxyError) {
            let proxy = try WaypointProxy(
                options: options.proxy, listeners: listeners, configuration: configuration)
            return Parts(proxy: proxy, status: status)
        } catch {
            throw .proxy(error)
        }
    }

    private func openHandover() throws(WaypointError) -> HandoverServer? {
        guard let path = options.upgradeSocket else { return nil }
        do throws(Errno) {
            return try HandoverServer(path)
        } catch {
            throw .upgradeSocketUnusable(path: path, error)
        }
    }
}
