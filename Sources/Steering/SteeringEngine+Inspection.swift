public import KmeshKit

/// What the engine was given and has in the kernel, for people.
extension SteeringEngine {
    public func configuration() async -> [MeshResource] {
        guard let running else { return [] }
        return running.dataplane.configuration + (layer?.configuration ?? [])
            + (await authorization.configuration())
    }

    public func dumpableMaps() async -> [DumpableMap] {
        guard let running else { return [] }
        return running.kernel.dumpableMaps(running.dataplane, enrolled: running.enrolled)
            + (layer?.dumpableMaps(running.dataplane) ?? []) + (await authorization.dumpableMaps())
    }
}
