/// A listener with its filter chains.
internal import KmeshKit

struct ListenerReader {
    private let message: Message
    /// Those that are written into its filters. Their names begin with the listener's.
    private(set) var inlineRoutes: [RouteConfiguration] = []
    private var name = ""
    private var readTimeout: UInt32?
    private var idleTimeout: UInt32?

    init(_ message: Message) { self.message = message }

    mutating func read(_ references: inout References) -> Listener? {
        name = message.requiredText("name") ?? ""
        let address = message.address("address", isListener: true)
        for filter in message.messages("listenerFilters", .listenerFilter) { check(filter) }
        var chains: [FilterChain] = []
        var seen: [FilterChainMatch: String] = [:]
        for chain in message.messages("filterChains", .filterChain) {
            let match = chain.message("filterChainMatch", .filterChainMatch)?.filterChainMatch()
            if let other = seen.updateValue(chain.path, forKey: match ?? FilterChainMatch()) {
                chain.fail("matches what \(other) matches: remove one")
            }
            if let read = read(chain, match ?? FilterChainMatch(), &references) { chains.append(read) }
        }
        if let last = message.message("defaultFilterChain", .filterChain) {
            if last.has("filterChainMatch") {
                last.fail("filterChainMatch", "the default chain has no match: remove it")
            }
            if let other = seen[FilterChainMatch()] {
                last.fail("is never used, as \(other) matches everything: remove one")
            }
            if let read = read(last, FilterChainMatch(), &references) { chains.append(read) }
        } else if seen.isEmpty {
            message.fail("filterChains", "must have a filter chain: add one")
        }
        guard let address else { return nil }
        return Listener(
            name: name, address: address.address, port: address.port, filterChains: chains,
            readTimeout: readTimeout, idleTimeout: idleTimeout)
    }

    /// The kernel looks into the bytes by itself, and at the address that was dialed.
    private func check(_ filter: Message) {
        let kinds = ["tls_inspector", "http_inspector", "original_dst"]
        guard let name = filter.requiredText("name"), !kinds.contains(where: { name.hasSuffix($0) }) else {
            return
        }
        filter.fail("name", "\(name.prefix(80)) is not supported: remove the filter")
    }

    private mutating func read(
        _ chain: Message, _ match: FilterChainMatch, _ references: inout References
    ) -> FilterChain? {
        let filters = chain.messages("filters", .filter)
        guard let filter = filters.first else {
            chain.fail("filters", "must have a filter: add an HTTP connection manager or a TCP proxy")
            return nil
        }
        for other in filters.dropFirst() { other.fail("only one filter is supported: remove the others") }
        guard let action = action(of: filter, &references) else { return nil }
        return FilterChain(name: chain.text("name") ?? "", match: match, action: action)
    }

    private mutating func action(
        of filter: Message, _ references: inout References
    ) -> FilterChainAction? {
        guard let field = filter.onlyOne(of: ["typedConfig", "httpConnectionManager", "tcpProxy"]) else {
            return nil
        }
        switch field == "typedConfig" ? filter.type(of: field) ?? "" : field {
        case "httpConnectionManager", "HttpConnectionManager":
            return filter.message(field, .httpManager).flatMap { http($0, &references) }
        case "tcpProxy", "TcpProxy":
            return filter.message(field, .tcpProxy).map { tcp($0, &references) }
        case let type:
            let name = type.isEmpty ? filter.text("name") ?? "" : type
            filter.fail(
                "\(name.prefix(80)) is not supported: use an HTTP connection manager or a TCP proxy with its "
                    + "@type")
            return nil
        }
    }

    private func tcp(_ proxy: Message, _ references: inout References) -> FilterChainAction {
        for policy in proxy.messages("hashPolicy", .tcpHashPolicy) {
            // That is what a consistent hash goes by in any case.
            _ = policy.message("sourceIp", .nothing)
        }
        return .tcp(references.backends(of: proxy))
    }

    private mutating func http(
        _ manager: Message, _ references: inout References
    ) -> FilterChainAction? {
        checkHTTP(manager)
        if let timeout = manager.timer("requestHeadersTimeout") { readTimeout = timeout }
        if let options = manager.message("commonHttpProtocolOptions", .httpOptions),
            let timeout = options.timer("idleTimeout")
        {
            idleTimeout = timeout
        }
        switch manager.onlyOne(of: ["routeConfigName", "rds", "routeConfig"]) {
        case "routeConfigName":
            guard let routes = manager.requiredText("routeConfigName") else { return nil }
            references.routes.append((routes, manager.place(of: "routeConfigName")))
            return .http(routeConfiguration: routes)
        case "rds":
            guard let rds = manager.message("rds", .rds), let routes = rds.requiredText("routeConfigName")
            else { return nil }
            references.routes.append((routes, rds.place(of: "routeConfigName")))
            return .http(routeConfiguration: routes)
        case "routeConfig":
            guard let inline = manager.message("routeConfig", .routeConfiguration) else { return nil }
            // Many documents call each of theirs the same.
            let own = inline.text("name") ?? ""
            let routes = "\(name)/\(inlineRoutes.count)\(own.isEmpty ? "" : "/\(own)")"
            inlineRoutes.append(RouteConfigurationReader(inline).read(.named(routes), &references))
            return .http(routeConfiguration: routes)
        default: return nil
        }
    }

    private func checkHTTP(_ manager: Message) {
        _ = manager.choice("codecType", ["AUTO": (), "HTTP1": ()])
        _ = manager.choice(
            "pathWithEscapedSlashesAction", ["IMPLEMENTATION_SPECIFIC_DEFAULT": (), "KEEP_UNCHANGED": ()])
        for filter in manager.messages("httpFilters", .httpFilter) {
            let type = filter.type(of: "typedConfig")
            let name = filter.text("name") ?? ""
            guard type.map({ $0 != "Router" }) ?? !name.hasSuffix("router") else { continue }
            filter.fail("\(type ?? String(name.prefix(80))) is not supported: remove the filter")
        }
    }
}

extension Message {
    /// 0, which is without a limit elsewhere, is the engine's own limit here.
    fileprivate func timer(_ name: String) -> UInt32? {
        guard let milliseconds = milliseconds(name), milliseconds > 0 else { return nil }
        return milliseconds
    }

    fileprivate func filterChainMatch() -> FilterChainMatch {
        var match = FilterChainMatch()
        match.destinationPort = number("destinationPort", in: 1...65535).map { UInt16($0) }
        match.transportProtocol =
            choice("transportProtocol", ["": .any, "raw_buffer": .rawBuffer, "tls": .tls]) ?? .any
        match.applicationProtocols = texts("applicationProtocols")
        _ = choice("sourceType", ["ANY": ()])
        var fields = ["sourcePrefixRanges", "directSourcePrefixRanges"].filter(has)
        if fields.count > 1 {
            // The client is who dials, so both mean the same.
            fail(fields[1], "the client's address is in \(fields[0]) already: keep one")
            fields.removeLast()
        }
        for field in fields {
            match.sourcePrefixes += messages(field, .addressPrefix).compactMap { $0.addressPrefix() }
        }
        return match
    }

    private func addressPrefix() -> IPBlock? {
        guard let text = requiredText("addressPrefix") else { return nil }
        guard let address = IPAddress(text) else {
            fail("addressPrefix", "must be an IP address, not \"\(text.prefix(80))\"")
            return nil
        }
        let length = number("prefixLen", in: 0...(address.isV4 ? 32 : 128)) ?? 0
        return IPBlock(address, prefixLength: Int(length))
    }

    /// An address in Kmesh's or Envoy's form.
    func address(_ name: String, isListener: Bool) -> SocketAddress? {
        guard has(name) else {
            fail(missing: name)
            return nil
        }
        guard let message = message(name, .address) else { return nil }
        guard message.has("socketAddress") else { return message.numberedAddress(isListener) }
        for other in ["port", "ipv4", "protocol"] where message.has(other) {
            message.fail(other, "belongs to the form without socketAddress: remove it")
        }
        guard let inner = message.message("socketAddress", .socketAddress) else { return nil }
        inner.checkProtocol()
        let port = inner.port("portValue")
        guard let text = inner.requiredText("address") else { return nil }
        guard let address = IPAddress(text) else {
            inner.fail(
                "address", "must be an IP address, not \"\(text.prefix(80))\", as names are not resolved")
            return nil
        }
        guard isListener || !address.isUnspecified else {
            inner.fail("address", "an endpoint cannot be at \(text): give it an address of its own")
            return nil
        }
        return port.map { SocketAddress(address, $0) }
    }

    /// In Kmesh's form, `ipv4` has its bytes in network order, read as a little-endian number.
    private func numberedAddress(_ isListener: Bool) -> SocketAddress? {
        checkProtocol()
        let port = port("port")
        let bits = number("ipv4", in: 0...UInt32.max)
        if bits == nil, has("ipv4") { return nil }
        if bits ?? 0 == 0, !isListener {
            fail("ipv4", "an endpoint cannot be at 0.0.0.0: give it an address of its own")
            return nil
        }
        return port.map { SocketAddress(IPAddress(v4: (bits ?? 0).byteSwapped), $0) }
    }

    private func checkProtocol() { _ = choice("protocol", ["TCP": ()]) }
}
