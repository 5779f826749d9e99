internal import CKmeshABI
public import KmeshKit

/// The kernel-native maps in memory.
public struct InMemoryNativeMaps: Sendable {
    public let listeners: InMemoryMap<FrontendKey, ListenerValue>
    public let chains: InMemoryMap<ChainKey, ChainValue>
    public let tables: InMemoryMap<NativeIDKey, SearchValue>
    public let hosts: InMemoryMap<NativeIDKey, SearchValue>
    public let found: InMemoryMap<FoundKey, FoundValue>
    public let routes: InMemoryMap<RouteMapKey, RouteValue>
    public let conditions: InMemoryMap<ConditionKey, ConditionsValue>
    public let texts64: InMemoryMap<NativeIDKey, TextValue<Text64>>
    public let texts256: InMemoryMap<NativeIDKey, TextValue<Text256>>
    public let texts4096: InMemoryMap<NativeIDKey, TextValue<Text4096>>
    public let splits: InMemoryMap<NativeIDKey, SplitValue>
    public let shares: InMemoryMap<ShareKey, ShareValue>

    /// `capacity` is that of each map; `nil`: those of `bpf/include/kmesh/abi/limits.h`.
    public init(capacity: Int? = nil) {
        func map<Key, Value>(_ name: String, _ standard: some BinaryInteger) -> InMemoryMap<Key, Value> {
            InMemoryMap(name: name, capacity: capacity ?? Int(standard))
        }
        listeners = map(KMESH_MAP_LISTENER, KMESH_LISTENERS_MAX)
        chains = map(KMESH_MAP_CHAIN, KMESH_LISTENER_CHAINS_MAX)
        tables = map(KMESH_MAP_ROUTE_TABLE, KMESH_ROUTE_TABLES_MAX)
        hosts = map(KMESH_MAP_HOST, KMESH_VIRTUAL_HOSTS_MAX)
        found = map(KMESH_MAP_FOUND, KMESH_FOUND_MAX)
        routes = map(KMESH_MAP_ROUTE, KMESH_ROUTE_ENTRIES_MAX)
        conditions = map(KMESH_MAP_CONDITION, KMESH_CONDITION_BLOCKS_MAX)
        texts64 = map(KMESH_MAP_TEXT_64, KMESH_TEXTS_MAX)
        texts256 = map(KMESH_MAP_TEXT_256, KMESH_TEXTS_MAX)
        texts4096 = map(KMESH_MAP_TEXT_4096, KMESH_TEXTS_MAX)
        splits = map(KMESH_MAP_SPLIT, KMESH_SPLITS_MAX)
        shares = map(KMESH_MAP_SHARE, KMESH_SPLIT_SHARES_MAX)
    }

    /// The same maps as what a data plane takes.
    public var maps: NativeMaps {
        NativeMaps(
            listeners: listeners, chains: chains, tables: tables, hosts: hosts, found: found, routes: routes,
            conditions: conditions, texts64: texts64, texts256: texts256, texts4096: texts4096,
            splits: splits, shares: shares)
    }

    /// Each of them.
    public var all: [any InMemoryNativeMap] {
        [
            listeners, chains, tables, hosts, found, routes, conditions, texts64, texts256, texts4096, splits,
            shares,
        ]
    }
}

/// One of the maps, whatever its keys and values are.
public protocol InMemoryNativeMap: Sendable {
    var name: String { get }
    var count: Int { get }
    var writeCount: Int { get }
    func setFault(_ fault: MapFault?)
    func observeAnyWrite(_ observer: (@Sendable () -> Void)?)
}

extension InMemoryMap: InMemoryNativeMap {
    public func observeAnyWrite(_ observer: (@Sendable () -> Void)?) {
        guard let observer else { return observeWrites(nil) }
        observeWrites { _ in observer() }
    }
}
