/// Who is told when descriptors are free, and who is asked for unused ones.
import KmeshKit
import Testing

@testable import WaypointProxy

@Suite struct DescriptorShortageTests {
    private let mailboxes: [WorkerMailbox]
    private let shortage: DescriptorShortage

    init() throws {
        mailboxes = try (0..<4).map { _ in try WorkerMailbox() }
        shortage = DescriptorShortage(mailboxes)
    }

    /// What each worker has been told since the last call.
    private func told() -> [[String]] {
        mailboxes.map { mailbox in
            mailbox.takeAll().map { message in
                switch message {
                case .tryDescriptors: "try"
                case .giveUpUnused(let origin): "give up for \(origin)"
                default: "\(message)"
                }
            }
        }
    }

    @Test func whoHasWaitedLongestIsTheFirst() {
        shortage.serveNext()
        #expect(told() == [[], [], [], []])
        for worker in [2, 0, 2] { shortage.join(worker) }
        shortage.serveNext()
        #expect(told() == [[], [], ["try"], []])
        // Who comes back is behind the others.
        shortage.join(2)
        shortage.serveNext()
        #expect(told() == [["try"], [], [], []])
        shortage.serveNext()
        shortage.serveNext()
        #expect(told() == [[], [], ["try"], []])
    }

    @Test func whoNeedsNoneAnyMoreLeaves() {
        shortage.join(1)
        shortage.join(3)
        shortage.leave(1)
        shortage.leave(0)
        shortage.serveNext()
        #expect(told() == [[], [], [], ["try"]])
    }

    @Test func aWorkerThatHasEndedIsPassedOver() {
        _ = mailboxes[1].close()
        shortage.join(1)
        shortage.join(2)
        shortage.serveNext()
        #expect(told() == [[], [], ["try"], []])
        shortage.ask(behind: 0, for: 0)
        #expect(told() == [[], [], ["give up for 0"], []])
    }

    @Test func aQuestionGoesRoundOnce() {
        shortage.ask(behind: 2, for: 2)
        #expect(told() == [[], [], [], ["give up for 2"]])
        shortage.ask(behind: 3, for: 2)
        #expect(told() == [["give up for 2"], [], [], []])
        shortage.ask(behind: 0, for: 2)
        #expect(told() == [[], ["give up for 2"], [], []])
        shortage.ask(behind: 1, for: 2)
        #expect(told() == [[], [], [], []])
    }

    @Test func aLonelyWorkerAsksNobody() throws {
        let only = DescriptorShortage([mailboxes[0]])
        only.ask(behind: 0, for: 0)
        #expect(told() == [[], [], [], []])
    }

    @Test func spareDescriptorsAreReplaced() throws {
        let mailbox = try WorkerMailbox()
        var spares = SpareDescriptors(of: mailbox.descriptor)
        let atFirst = spares.release()
        #expect(!atFirst && spares.isEmpty)
        for _ in 0..<2 {
            let isFull = spares.refill()
            #expect(isFull)
            var count = 0
            while spares.release() { count += 1 }
            #expect(count == SpareDescriptors.wished && spares.isEmpty)
        }
    }
}
