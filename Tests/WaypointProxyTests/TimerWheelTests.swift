/// Deadlines without a clock.
import Testing

@testable import WaypointProxy

@Suite struct TimerWheelTests {
    private func expired(_ wheel: inout TimerWheel, at now: Int64) -> [Int32] {
        var all: [Int32] = []
        while true {
            let number = wheel.popExpired(now: now)
            if number < 0 { return all.sorted() }
            all.append(number)
        }
    }

    @Test func eachDeadlineComesOnce() {
        var wheel = TimerWheel(capacity: 10, now: 1_000_000)
        wheel.set(1, 1_100_000)
        wheel.set(2, 1_200_000)
        wheel.set(3, 1_100_001)
        #expect(expired(&wheel, at: 1_050_000) == [])
        #expect(expired(&wheel, at: 1_100_000) == [1])
        #expect(expired(&wheel, at: 1_100_001) == [3])
        #expect(expired(&wheel, at: 9_000_000) == [2])
        #expect(expired(&wheel, at: 900_000_000) == [])
        let pause = wheel.pause(now: 900_000_000)
        #expect(pause == -1)
    }

    @Test func aDeadlineMayMoveBothWaysAndGo() {
        var wheel = TimerWheel(capacity: 10, now: 0)
        wheel.set(1, 1_000_000)
        wheel.set(1, 3_000_000)
        wheel.set(2, 3_000_000)
        wheel.set(2, 1_000_000)
        wheel.set(3, 1_000_000)
        wheel.clear(3)
        #expect(expired(&wheel, at: 2_000_000) == [2])
        #expect(expired(&wheel, at: 3_000_000) == [1])
        #expect(expired(&wheel, at: 10_000_000) == [])
    }

    @Test func deadlinesFarAwayWaitForMoreThanARound() {
        var wheel = TimerWheel(capacity: 10, now: 0)
        let hour: Int64 = 3_600_000_000
        wheel.set(0, hour)
        var now: Int64 = 0
        var turns = 0
        while now < hour {
            #expect(expired(&wheel, at: now) == [])
            let pause = wheel.pause(now: now)
            #expect(pause > 0)
            now += pause
            turns += 1
        }
        #expect(expired(&wheel, at: now) == [0])
        #expect(now < hour + 10_000 && turns < 100)
    }

    /// Against a plain list of deadlines.
    @Test(arguments: 0..<20)
    func itAgreesWithAList(seed: UInt64) {
        var random = RandomNumbers(seed: seed)
        var wheel = TimerWheel(capacity: 50, now: 0)
        var list: [Int32: Int64] = [:]
        var now: Int64 = 0
        for _ in 0..<2000 {
            let number = Int32(random.next(below: 50))
            switch random.next(below: 4) {
            case 0:
                wheel.clear(number)
                list[number] = nil
            default:
                let scale: [UInt32] = [5_000, 1_000_000, 100_000_000]
                let deadline = now + 1 + Int64(random.next(below: scale[Int(random.next(below: 3))]))
                wheel.set(number, deadline)
                list[number] = deadline
            }
            let pause = wheel.pause(now: now)
            if let next = list.values.min() { #expect(pause >= 0 && now + pause <= max(now, next) + 8192) }
            now += Int64(random.next(below: 2) == 0 ? random.next(below: 3000) : random.next(below: 30_000_000))
            let due = list.filter { $0.value <= now }.keys.sorted()
            #expect(expired(&wheel, at: now) == due)
            for number in due { list[number] = nil }
        }
    }
}
