/// The maps of an object as pins keep them between two runs.
public import KmeshKit

extension BPFObject {
    /// Before `load`: uses the pinned maps instead of making new ones, except those in `fresh`. A map that
    /// has no pin is a layout that we do not know.
    ///
    /// A program array belongs to `fresh`, and takes the older one's place by `PinDirectory.replace`. If it
    /// were adopted, `load` would fill it anew, element after element, and the programs that run would go on
    /// into those that have just been loaded.
    public func adoptMaps(from pins: PinDirectory, except fresh: Set<String> = []) throws(BPFError) {
        for name in mapNames where !fresh.contains(name) {
            guard let pinned = try pins.open(name) else {
                throw .layoutMismatch(map: name, found: "no pin in \(pins.path)", wanted: "one")
            }
            try reuse(pinned, as: name)
        }
    }

    /// After `load`: makes the pin directory with all maps in it, in one step.
    ///
    /// Those in `others` belong to somebody else, who pins them.
    public func pinMaps(in pins: PinDirectory, except others: Set<String> = []) throws(BPFError) {
        try pins.stage()
        for name in mapNames where !others.contains(name) { try pins.pinStaged(try map(name), as: name) }
        try pins.commit()
    }

    /// All maps with their capacities and memory, by name.
    public func mapMemories() throws(BPFError) -> [MapMemory] {
        var memories: [MapMemory] = []
        for name in mapNames.sorted() { memories.append(try MapMemory(try map(name), name: name)) }
        return memories
    }
}
