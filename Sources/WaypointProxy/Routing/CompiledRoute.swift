/// One route in the form in which requests follow it.
internal import KmeshKit

struct CompiledRoute: Sendable {
    enum Action: Sendable {
        case forward
        case redirect(RedirectAction)
        case respond(status: UInt16)
    }

    var name: String
    /// The number under which its requests are counted; the same as long as a route has this name.
    var statistic: Int32
    var action: Action
    var requestEdits: HeaderEdits
    var responseEdits: HeaderEdits
    /// For `forward`; a request takes the first whose `upTo` is above a random number below `totalWeight`.
    var backends: [CompiledBackend] = []
    var totalWeight: UInt32 = 0
    var rewrite: URLRewrite?
    /// What a rewrite of the prefix replaces, without a final slash: nothing for `/`.
    var matchedPrefix: [UInt8] = []
    /// Milliseconds; 0 is without limit.
    var requestTimeout: UInt32 = 0
    var backendTimeout: UInt32 = 0
    var retry: RetryPolicy?
}

struct CompiledBackend: Sendable {
    /// -1: leads nowhere, 500.
    var cluster: Int32
    var upTo: UInt32
    var requestEdits: HeaderEdits
    var responseEdits: HeaderEdits
    var rewrite: URLRewrite?
    var redirect: RedirectAction?
    /// Whether it or its route changes heads by more than what the proxy always does.
    var editsRequests = false
    var editsResponses = false
}

/// `HeaderChanges` as editing needs them.
struct HeaderEdits: Sendable {
    /// Names, in lower case, whose lines go: those that are removed or set.
    var dropped: [[UInt8]] = []
    /// Whole lines with their ends.
    var appended: [UInt8] = []

    var isEmpty: Bool { dropped.isEmpty && appended.isEmpty }
}

extension CompiledRoute {
    init(_ route: Route, clusters: (BackendReference) -> Int32?, statistic: Int32) {
        self.init(
            name: route.name, statistic: statistic, action: .forward,
            requestEdits: HeaderEdits(route.requestHeaders), responseEdits: HeaderEdits(route.responseHeaders)
        )
        if case .prefix(let prefix) = route.match.path {
            matchedPrefix = Array(prefix.utf8)
            while matchedPrefix.last == UInt8(ascii: "/") { matchedPrefix.removeLast() }
        }
        switch route.action {
        case .redirect(let redirect): action = .redirect(redirect)
        case .respond(let status): action = .respond(status: status)
        case .forward(let forward):
            for backend in forward.backends where backend.weight > 0 {
                let (sum, isTooLarge) = totalWeight.addingReportingOverflow(backend.weight)
                precondition(!isTooLarge, "the weights of \(route.name) are too large")
                totalWeight = sum
                backends.append(
                    CompiledBackend(backend, upTo: sum, cluster: backend.backend.flatMap(clusters) ?? -1))
            }
            if backends.isEmpty { action = .respond(status: 500) }
            rewrite = forward.rewrite
            requestTimeout = forward.requestTimeout ?? 0
            backendTimeout = forward.backendTimeout ?? 0
            retry = forward.retry
        }
        for number in backends.indices {
            backends[number].editsRequests =
                rewrite != nil || !requestEdits.isEmpty || backends[number].rewrite != nil
                || !backends[number].requestEdits.isEmpty
            backends[number].editsResponses =
                !responseEdits.isEmpty || !backends[number].responseEdits.isEmpty
        }
    }
}

extension CompiledBackend {
    fileprivate init(_ backend: WeightedBackend, upTo: UInt32, cluster: Int32) {
        self.init(
            cluster: cluster, upTo: upTo, requestEdits: HeaderEdits(backend.requestHeaders),
            responseEdits: HeaderEdits(backend.responseHeaders), rewrite: backend.rewrite,
            redirect: backend.redirect)
    }
}

extension HeaderEdits {
    init(_ changes: HeaderChanges) {
        self.init()
        for header in changes.set { dropped.append(header.name.utf8.map(\.lowered)) }
        for name in changes.remove { dropped.append(name.utf8.map(\.lowered)) }
        for header in changes.set + changes.add {
            appended += Array("\(header.name): \(header.value)\r\n".utf8)
        }
    }
}
