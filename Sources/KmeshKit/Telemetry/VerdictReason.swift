internal import CKmeshABI

/// Why a program decided as it did, or what happened on the way: the numbers of `reasons.h`.
public enum VerdictReason: UInt32, Hashable, Sendable, CaseIterable {
    case steered = 0
    case steeredByAffinity = 1
    case steeredBySession = 2
    case redirected = 3

    case notEnrolled = 8
    case notAService = 9
    case otherProtocol = 10
    case noEndpointPassed = 11
    case undeclaredPortPassed = 12

    case noEndpoint = 16
    case noLocalEndpoint = 17
    case undeclaredPort = 18
    case noWaypoint = 19
    case noWaypointEndpoint = 20
    case waypointIncomplete = 21
    case noMetadata = 22

    case incomplete = 24
    case noPeerStorage = 25
    case noUDPReply = 26
    case optionNotSent = 27
    case tlvNotSent = 28
    case messageDropped = 29

    case retried = 32
    case affinityCreated = 33
    case affinityExpired = 34
    case affinityEndpointGone = 35
    case sessionCreated = 36
    case sessionEndpointGone = 37
    case replyTranslated = 38
    case peerTranslated = 39
    case udpReplyCreated = 40
    case fromWaypoint = 41
    case optionSent = 42
    case tlvSent = 43

    case notRestricted = 48
    case allowed = 49
    case probePassed = 50
    case loopbackPassed = 51
    case switchedOff = 52
    case udpPassed = 53
    case fragmentPassed = 54

    case denied = 56
    case notAllowed = 57
    case malformed = 58

    case noDestination = 60
    case noView = 61
    case noBlock = 62
    case missedTailCall = 63
    case noFlow = 64
    case torn = 65

    case trialDenied = 66
    case resetSent = 67
    case resetNotSent = 68
    case eventLost = 69
    case eventSuppressed = 70

    case traceLost = 71
    case recordLost = 72
    case connectionUnseen = 73

    /// Those of the programs that steer.
    public static let steering = allCases.filter { $0.rawValue < notRestricted.rawValue } + [traceLost]
    /// Those of the programs that authorize.
    public static let authorization =
        [otherProtocol, retried]
        + allCases.filter { (notRestricted.rawValue...eventSuppressed.rawValue).contains($0.rawValue) }
    /// Those of the programs that observe.
    public static let telemetry: [VerdictReason] = [recordLost, connectionUnseen]

    /// How many numbers the counters have room for.
    public static var limit: Int { Int(KMESH_REASON_MAX.rawValue) }

    /// The name in dumps and metrics.
    public var name: String {
        switch self {
        case .steered: "steered"
        case .steeredByAffinity: "steered_by_affinity"
        case .steeredBySession: "steered_by_session"
        case .redirected: "redirected"
        case .notEnrolled: "not_enrolled"
        case .notAService: "not_a_service"
        case .otherProtocol: "other_protocol"
        case .noEndpointPassed: "no_endpoint_passed"
        case .undeclaredPortPassed: "undeclared_port_passed"
        case .noEndpoint: "no_endpoint"
        case .noLocalEndpoint: "no_local_endpoint"
        case .undeclaredPort: "undeclared_port"
        case .noWaypoint: "no_waypoint"
        case .noWaypointEndpoint: "no_waypoint_endpoint"
        case .waypointIncomplete: "waypoint_incomplete"
        case .noMetadata: "no_metadata"
        case .incomplete: "incomplete"
        case .noPeerStorage: "no_peer_storage"
        case .noUDPReply: "no_udp_reply"
        case .optionNotSent: "option_not_sent"
        case .tlvNotSent: "tlv_not_sent"
        case .messageDropped: "message_dropped"
        case .retried: "retried"
        case .affinityCreated: "affinity_created"
        case .affinityExpired: "affinity_expired"
        case .affinityEndpointGone: "affinity_endpoint_gone"
        case .sessionCreated: "session_created"
        case .sessionEndpointGone: "session_endpoint_gone"
        case .replyTranslated: "reply_translated"
        case .peerTranslated: "peer_translated"
        case .udpReplyCreated: "udp_reply_created"
        case .fromWaypoint: "from_waypoint"
        case .optionSent: "option_sent"
        case .tlvSent: "tlv_sent"
        case .notRestricted: "not_restricted"
        case .allowed: "allowed"
        case .probePassed: "probe_passed"
        case .loopbackPassed: "loopback_passed"
        case .switchedOff: "switched_off"
        case .udpPassed: "udp_passed"
        case .fragmentPassed: "fragment_passed"
        case .denied: "denied"
        case .notAllowed: "not_allowed"
        case .malformed: "malformed"
        case .noDestination: "no_destination"
        case .noView: "no_view"
        case .noBlock: "no_block"
        case .missedTailCall: "missed_tail_call"
        case .noFlow: "no_flow"
        case .torn: "torn"
        case .trialDenied: "trial_denied"
        case .resetSent: "reset_sent"
        case .resetNotSent: "reset_not_sent"
        case .eventLost: "event_lost"
        case .eventSuppressed: "event_suppressed"
        case .traceLost: "trace_lost"
        case .recordLost: "record_lost"
        case .connectionUnseen: "connection_unseen"
        }
    }

    /// One sentence for people.
    public var explanation: String {
        switch self {
        case .steered: "Sent to an endpoint of the service."
        case .steeredByAffinity: "Sent to the endpoint that ClientIP affinity remembers for the client."
        case .steeredBySession: "Sent to the endpoint that this UDP socket already talks to."
        case .redirected: "Sent to an instance of the waypoint of what was dialed."
        case .notEnrolled: "Untouched: the network namespace is not enrolled."
        case .notAService: "Untouched: the address belongs to no service."
        case .otherProtocol: "Untouched: neither TCP nor UDP."
        case .noEndpointPassed: "Untouched: no healthy endpoint, and --no-endpoint=pass."
        case .undeclaredPortPassed:
            "Untouched: a resolver's connect() of a UDP socket, which sends nothing."
        case .noEndpoint: "Refused: the service has no healthy endpoint."
        case .noLocalEndpoint: "Refused: no endpoint where the service's strict locality asks for one."
        case .undeclaredPort: "Refused: the service does not declare the port."
        case .noWaypoint: "Refused: its waypoint is not in force, at least not in the address family."
        case .noWaypointEndpoint: "Refused: its waypoint has no healthy instance."
        case .waypointIncomplete:
            "Refused: the maps were incomplete in every attempt to find its waypoint; see kmeshctl verify."
        case .noMetadata:
            "Refused: the waypoint could not be told what was dialed; see --waypoint-metadata."
        case .incomplete: "Let pass: the maps were incomplete in every attempt; see kmeshctl verify."
        case .noPeerStorage:
            "Steered, but getpeername will show the endpoint: no memory for the socket's storage."
        case .noUDPReply: "Steered, but replies will show the endpoint: the reply could not be noted."
        case .optionNotSent:
            "Sent to a waypoint by a SYN without room for the option: the TLV alone has to do."
        case .tlvNotSent:
            "Sent to a waypoint without a TLV (bytes went first, or a map was full): the option has to do."
        case .messageDropped:
            "A send() to a waypoint failed with EACCES: no memory for the TLV before its bytes."
        case .retried: "An update crossed the reading of the maps, and it was read again."
        case .affinityCreated: "ClientIP affinity was noted for a client."
        case .affinityExpired: "A client came back after the affinity's timeout."
        case .affinityEndpointGone: "A client's endpoint is gone, and it gets another."
        case .sessionCreated: "A UDP socket began to talk to a service."
        case .sessionEndpointGone: "A UDP socket's endpoint is gone, and it gets another."
        case .replyTranslated: "A datagram shows the address that was dialed as its sender."
        case .peerTranslated: "A connected socket shows the address that was dialed as its peer."
        case .udpReplyCreated: "The way back of a UDP socket's datagrams was noted."
        case .fromWaypoint: "A waypoint dialed something that has one, and was not redirected."
        case .optionSent: "A SYN told a waypoint what was dialed."
        case .tlvSent: "A TLV before the first bytes told a waypoint what was dialed."
        case .notRestricted: "Let in: no policy protects the destination, or only such that deny others."
        case .allowed: "Let in by a policy that allows."
        case .probePassed: "Let in: kubelet's probe, which passes unless --authz-probes=check."
        case .loopbackPassed: "Let in: within the pod."
        case .switchedOff: "Let in: authorization is switched off."
        case .udpPassed: "A UDP packet: policies are about TCP."
        case .fragmentPassed: "A later fragment: the first one was decided on."
        case .denied: "Kept out by a policy that denies."
        case .notAllowed: "Kept out: there are policies that allow, and none allows this."
        case .malformed: "Kept out: a packet that no host accepts, or that hides what it is."
        case .noDestination: "Decided by --authz-default: not an address that the workload is known by."
        case .noView: "Decided by --authz-default: a view was missing; see kmeshctl verify."
        case .noBlock: "Decided by --authz-default: a block was missing; see kmeshctl verify."
        case .missedTailCall: "Decided by --authz-default: a program of the chain was missing."
        case .noFlow: "Decided by --authz-default: the program's memory was missing."
        case .torn: "Decided by --authz-default: updates crossed every reading of an address."
        case .trialDenied: "A policy on trial (dry run) would have kept it out."
        case .resetSent: "A denial was answered with a reset."
        case .resetNotSent: "A denial was not answered: the packet's form is one that is only dropped."
        case .eventLost: "A denial was not logged: the ring was full."
        case .eventSuppressed: "A denial was not logged: there are too many in a second."
        case .traceLost: "A verdict on a traced pod was not shown: the ring was full."
        case .recordLost: "A closed connection is missing in access log and metrics: the ring was full."
        case .connectionUnseen: "A connection is missing in access log and metrics: no memory for it."
        }
    }
}
