/// A `RouteConfiguration` compiled for matching: the cost of a match hardly grows with the number of routes.
internal import KmeshKit

final class RouteTable: Sendable {
    /// For the configuration dump.
    let source: RouteConfiguration
    let routes: [CompiledRoute]

    init(source: RouteConfiguration, routes: [CompiledRoute]) {
        self.source = source
        self.routes = routes
    }
}

/// One route in the form in which requests follow it.
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
    /// What a rewrite of the prefix replaces.
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
}

/// `HeaderChanges` as editing needs them.
struct HeaderEdits: Sendable {
    /// Names, in lower case, whose lines go: those that are removed or set.
    var dropped: [[UInt8]] = []
    /// Whole lines with their ends.
    var appended: [UInt8] = []

    var isEmpty: Bool { dropped.isEmpty && appended.isEmpty }
}
