internal import CKmeshABI
public import KmeshKit
internal import Logging

/// Shows the verdicts on pods' connections. A pod is traced as long as somebody asks: its entry in
/// `km_enrolled` says until when.
extension SteeringEngine {
    public func trace(_ request: TraceRequest) async throws(TraceError) -> TraceReport {
        guard let running, let traces else { throw .engine(.notStarted) }
        guard let workload = running.enrolled.values.first(where: { $0.pod == request.pod }) else {
            throw .notEnrolled(request.pod)
        }
        // What was written before a trace began is nobody's.
        takeVerdicts()
        let now = Self.second
        if let until = try traces.ask(workload, now: now, lost: running.kernel.lostVerdicts) {
            do throws(MapError) {
                try running.kernel.enrolled.upsert([workload.entry(tracedUntil: until)])
            } catch {
                throw .engine(EngineError(error))
            }
            traces.traced(workload.id, until: until)
        }
        return traces.report(of: workload.id, after: request.after, lost: running.kernel.lostVerdicts)
    }

    public func setTracing(all: Bool) async {
        takeVerdicts()
        traces?.setTracing(all: all)
        renewTraces()
    }

    /// Ends traces that nobody asks for, renews the one of all pods and writes what it has found to the log.
    func tendTraces() {
        guard let traces, traces.isActive else { return }
        takeVerdicts()
        traces.expire(now: Self.second)
        renewTraces()
        let unwritten = traces.endSecond()
        if unwritten > 0 { Logger(label: "bpf").debug("\(unwritten) verdicts more in this second") }
    }

    private func renewTraces() {
        guard let running, let traces, let until = traces.askForAll(now: Self.second) else { return }
        do throws(MapError) {
            try running.kernel.enrolled.upsert(running.enrolled.values.map { $0.entry(tracedUntil: until) })
            traces.tracedAll(until: until)
        } catch {
            Logger(label: "bpf").error("pods cannot be traced: \(error)")
        }
    }

    /// Gives what the ring holds to whom it is for.
    private func takeVerdicts() {
        guard let running, let traces else { return }
        let events = traces.drain()
        guard traces.isActive else { return }
        let log = Logger(label: "bpf")
        for event in events {
            let verdict = TraceEvent(event, running.dataplane)
            traces.add(verdict, cookie: event.netns_cookie)
            guard traces.tracesAll, traces.takeLine() else { continue }
            let pod = running.enrolled.values.first { $0.networkNamespace.cookie == event.netns_cookie }
            log.debug("\(verdict.reasonName)", metadata: verdict.metadata(pod: pod?.pod))
        }
    }

    private static var second: UInt32 {
        UInt32(truncatingIfNeeded: MonotonicClock.nanoseconds() / 1_000_000_000)
    }
}

extension LocalWorkload {
    fileprivate func entry(tracedUntil: UInt32) -> MapEntry<EnrolledKey, EnrolledValue> {
        var entry = enrolledEntry
        entry.value.traceUntil = tracedUntil
        return entry
    }
}

extension TraceEvent {
    fileprivate func metadata(pod: PodName?) -> Logger.Metadata {
        [
            "pod": "\(pod?.description ?? "unknown")", "program": "\(command)/\(process)",
            "dialed": "\(dialed)", "service": "\(service ?? "none")", "waypoint": "\(waypoint ?? "none")",
            "endpoint": "\(endpoint?.description ?? "none")",
        ]
    }
}
