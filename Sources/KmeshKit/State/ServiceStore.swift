/// The services that the configuration names, whether they are in force or not.
public struct ServiceStore: Sendable {
    private var services: [ServiceKey: Service] = [:]

    public init() {}

    public var count: Int { services.count }

    public subscript(key: ServiceKey) -> Service? { services[key] }

    /// Returns whether anything changed.
    public mutating func upsert(_ service: Service) -> Bool {
        services.updateValue(service, forKey: service.key) != service
    }

    /// Returns whether it was there.
    public mutating func remove(_ key: ServiceKey) -> Bool { services.removeValue(forKey: key) != nil }

    public var keys: some Collection<ServiceKey> { services.keys }

    /// Services that prefer near endpoints, sorted by name.
    public var keysWithLocality: [ServiceKey] {
        services.values.filter { $0.locality != nil }.map(\.key).sorted()
    }
}
