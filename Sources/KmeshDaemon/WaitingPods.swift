/// Enrols the pods that came while no daemon ran.
internal import KmeshKit
internal import Logging

struct WaitingPods: Sendable {
    let waiting: WaitingEnrollments
    let admin: AdminHandler
    private let log = Logger(label: "admin")

    init(_ stateDirectory: String, _ admin: AdminHandler) {
        waiting = WaitingEnrollments(stateDirectory: stateDirectory)
        self.admin = admin
    }

    /// Once, when the first configuration is in force. A pod that has gone since is forgotten, which the log
    /// says.
    func enroll(after record: DaemonRecord) async {
        while !record.isConfigured {
            guard (try? await Task.sleep(for: .milliseconds(100))) != nil else { return }
        }
        for item in waiting.items {
            if let request = item.request {
                _ = await admin.answer(.enroll(request))
            } else {
                log.warning("\(item.path) is no request to enroll a pod: removing it")
            }
            WaitingEnrollments.remove(item.path)
        }
    }
}
