// The buffers of connections, and the window of bytes in them.

extension Worker {
    /// Gives the connection an empty buffer. Whether there was one.
    @inline(__always)
    mutating func takeBuffer(_ slot: Int32, large: Bool = false) -> Bool {
        let buffer = large ? buffers.takeLarge() : buffers.take()
        guard buffer >= 0 else {
            telemetry.count(.chunksExhausted)
            return false
        }
        connections[slot].buffer = buffer
        connections[slot].start = BufferPool.headroom
        connections[slot].ready = BufferPool.headroom
        connections[slot].end = BufferPool.headroom
        connections[slot].scanned = 0
        return true
    }

    @inline(__always)
    mutating func dropBuffer(_ slot: Int32) {
        let buffer = connections[slot].buffer
        guard buffer >= 0 else { return }
        buffers.give(buffer)
        connections[slot].buffer = -1
        connections[slot].kept = -1
        connections[slot].start = 0
        connections[slot].ready = 0
        connections[slot].end = 0
        connections[slot].scanned = 0
    }

    /// Gives the buffer back when nothing in it is needed any more.
    @inline(__always)
    mutating func dropEmptyBuffer(_ slot: Int32) {
        if connections[slot].start == connections[slot].end, connections[slot].kept < 0 { dropBuffer(slot) }
    }

    /// Free bytes behind those that have come.
    @inline(__always)
    func room(_ slot: Int32) -> Int {
        buffers[connections[slot].buffer].capacity &- Int(connections[slot].end)
    }

    /// Moves the bytes that are left to the front. Not while a request may have to be sent again.
    mutating func compact(_ slot: Int32) {
        let (start, end) = (connections[slot].start, connections[slot].end)
        guard start > BufferPool.headroom, connections[slot].kept < 0 else { return }
        buffers[connections[slot].buffer].move(Int(start)..<Int(end), to: Int(BufferPool.headroom))
        shift(slot, by: BufferPool.headroom - start)
    }

    /// Goes over to a large buffer. Whether there was one, and the buffer was a small one.
    mutating func enlarge(_ slot: Int32) -> Bool {
        let old = connections[slot].buffer
        guard !buffers.isLarge(old) else { return false }
        let new = buffers.takeLarge()
        guard new >= 0 else {
            telemetry.count(.chunksExhausted)
            return false
        }
        let first = connections[slot].kept >= 0 ? connections[slot].kept : connections[slot].start
        let (from, end) = (Int(first), Int(connections[slot].end))
        buffers[old].read(from..<end) { bytes in buffers[new].write(bytes, at: Int(BufferPool.headroom)) }
        buffers.give(old)
        connections[slot].buffer = new
        if connections[slot].kept >= 0 { connections[slot].kept = BufferPool.headroom }
        shift(slot, by: BufferPool.headroom - first)
        return true
    }

    private func shift(_ slot: Int32, by distance: Int32) {
        connections[slot].start += distance
        connections[slot].ready += distance
        connections[slot].end += distance
    }

    /// Replaces the head at `start`, of `count` bytes, by what the writer holds. Bytes behind it stay where
    /// they are as long as there is room before them. Whether it fits.
    mutating func replaceHead(_ slot: Int32, count: Int32) -> Bool {
        let new = Int32(writer.count)
        if Int(new - connections[slot].start - count) > room(slot), !enlarge(slot) { return false }
        // In a large buffer the head begins elsewhere.
        let distance = new - connections[slot].start - count
        if distance > 0 {
            // More than the headroom was added: the body moves behind.
            if Int(distance) > room(slot) { return false }
            let begin = connections[slot].start + count
            let bytes = Int(begin)..<Int(connections[slot].end)
            buffers[connections[slot].buffer].move(bytes, to: Int(begin + distance))
            shift(slot, by: distance)
        }
        let begin = connections[slot].start + count - new
        let buffer = connections[slot].buffer
        writer.read { bytes in buffers[buffer].write(bytes, at: Int(begin)) }
        connections[slot].start = begin
        connections[slot].ready = begin + new
        return true
    }
}
