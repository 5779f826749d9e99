/// `kmeshctl authz`: what authorization enforces, and why.
public import ArgumentParser
public import KmeshKit

struct AuthzCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "authz", abstract: "Shows, switches and explains authorization on this node.",
        subcommands: [Status.self, Enable.self, Disable.self, Explain.self])

    struct Status: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Prints policies, protected pods and verdicts.")

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
        static let configuration = CommandConfiguration(abstract: "Enforces policies again.")

        @OptionGroup var daemon: ConnectionOptions

        func run() throws { try daemon.setEnforcing(true) }
    }

    struct Disable: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lets every connection pass, also after a restart of the daemon.")

        @OptionGroup var daemon: ConnectionOptions

        func run() throws { try daemon.setEnforcing(false) }
    }

    struct Explain: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Says what happens to a connection, and by which policy. Exits with 1 when it is denied.")

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
            let answer = try daemon.ask(.explain(question))
            guard case .explanation(let explanation) = answer.response,
                let value = answer.json["explanation"]
            else { try daemon.failUnexpected() }
            format.write(value) { explanation.text }
            if !explanation.isAllowed { throw ExitCode.failure }
        }
    }
}

extension ConnectionOptions {
    fileprivate func setEnforcing(_ isEnforcing: Bool) throws {
        guard case .authorization(let snapshot) = try ask(.setEnforcing(isEnforcing)).response else {
            try failUnexpected()
        }
        print(snapshot.isEnforcing ? "authorization is enforced" : "authorization is switched off")
    }
}

extension AuthorizationQuestion.Peer: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
}
