import Testing

@Suite struct AllowanceTests {
    @Test func everyAllowanceHasAReason() {
        for allowance in allowances {
            #expect(!allowance.reason.isEmpty, "\(allowance.path)")
        }
    }

    @Test(arguments: [
        ("Sources/KmeshKit/System/", "Sources/KmeshKit/System/Epoll.swift", true),
        ("Sources/KmeshKit/System/", "Sources/KmeshKit/SystemCalls.swift", false),
        ("Sources/*/EngineMode.swift", "Sources/KmeshKit/Engine/EngineMode.swift", true),
        ("Sources/KmeshDaemon/Daemon*.swift", "Sources/KmeshDaemon/Admin.swift", false),
        ("LICENSE", "LICENSE.md", false),
    ])
    func patterns(pattern: String, path: String, isMatch: Bool) {
        #expect(matches(pattern, path) == isMatch)
    }
}
