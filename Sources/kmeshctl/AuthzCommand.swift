/// `kmeshctl authz`: what authorization enforces, and why.
public import ArgumentParser
public import KmeshKit

struct AuthzCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "authz", abstract: "Shows, switches and explains authorization on this node.",
        discussion: """
            Examples:
              kmeshctl authz status
              kmeshctl authz explain shop/client shop/web-0 8080
              kmeshctl authz disable
            """,
        subcommands: [Status.self, Enable.self, Disable.self, Explain.self])

    struct Status: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Prints policies, protected pods and verdicts.",
            discussion: """
                Examples:
                  kmeshctl authz status
                  kmeshctl authz status -o yaml
                """)

        @OptionGroup var format: FormatOptions
        @OptionGroup var daemon: ConnectionOptions

        func run() throws {
            let answer = try daemon.ask(.authorization)
            guard case .authorization(let snapshot) = answer.response,
                let value = answer.json["authorization"]
            else { try daemon.failUnexpected() }
            format.write(value) { snapshot.table }
        }
    }

    struct Enable: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Enforces policies again.",
            discussion: """
                Example:
                  kmeshctl authz enable
                """)

        @OptionGroup var format: FormatOptions
        @OptionGroup var daemon: ConnectionOptions

        func run() throws { try daemon.setEnforcing(true, format) }
    }

    struct Disable: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lets every connection pass, also after a restart of the daemon.",
            discussion: """
                Example:
                  kmeshctl authz disable
                """)

        @OptionGroup var format: FormatOptions
        @OptionGroup var daemon: ConnectionOptions

        func run() throws { try daemon.setEnforcing(false, format) }
    }

    struct Explain: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Says what happens to a connection, and by which policy. Exits with 1 when it is denied.",
            discussion: """
                Exits with 0 when it is allowed, with 1 when it is denied, and with 2 when it cannot tell.

                Examples:
                  kmeshctl authz explain shop/client shop/web-0 8080
                  kmeshctl authz explain 10.244.0.7 10.244.0.9 8080 -o json
                """)

        @Argument(help: "Who connects: an address, or a pod as namespace/name.")
        var source: AuthorizationQuestion.Peer

        @Argument(help: "To whom: an enrolled pod of this node or its address.")
        var destination: AuthorizationQuestion.Peer

        @Argument(help: "The port that the pod listens on, not a service's.")
        var port: UInt16

        @OptionGroup var format: FormatOptions
        @OptionGroup var daemon: ConnectionOptions

        func run() throws {
            let question = AuthorizationQuestion(source: source, destination: destination, port: port)
            let answer = try daemon.ask(.explain(question), failure: .undecided)
            guard case .explanation(let explanation) = answer.response,
                let value = answer.json["explanation"]
            else { try daemon.failUnexpected(.undecided) }
            format.write(value) { explanation.text }
            if !explanation.isAllowed { throw ExitCode.failure }
        }
    }
}

extension ConnectionOptions {
    fileprivate func setEnforcing(_ isEnforcing: Bool, _ format: FormatOptions) throws {
        guard case .authorization(let snapshot) = try ask(.setEnforcing(isEnforcing)).response else {
            try failUnexpected()
        }
        format.write(["enforcing": .bool(snapshot.isEnforcing)]) {
            snapshot.isEnforcing ? "authorization is enforced\n" : "authorization is switched off\n"
        }
    }
}

extension AuthorizationQuestion.Peer: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
}
