/// What reasons are called, and what they say to people. A test sees to it that each has both.
extension VerdictReason {
    static let texts: [VerdictReason: (name: String, explanation: String)] = [
        .steered: ("steered", "Sent to an endpoint of the service."),
        .steeredByAffinity: (
            "steered_by_affinity",
            "Sent to the endpoint that ClientIP affinity remembers for the client."
        ),
        .steeredBySession: (
            "steered_by_session",
            "Sent to the endpoint that this UDP socket already talks to."
        ),
        .redirected: ("redirected", "Sent to an instance of the waypoint of what was dialed."),
        .notEnrolled: ("not_enrolled", "Untouched: the network namespace is not enrolled."),
        .notAService: ("not_a_service", "Untouched: the address belongs to no service."),
        .otherProtocol: ("other_protocol", "Untouched: neither TCP nor UDP."),
        .noEndpointPassed: ("no_endpoint_passed", "Untouched: no healthy endpoint, and --no-endpoint=pass."),
        .undeclaredPortPassed: (
            "undeclared_port_passed",
            "Untouched: a resolver's connect() of a UDP socket, which sends nothing."
        ),
        .noEndpoint: ("no_endpoint", "Refused: the service has no healthy endpoint."),
        .noLocalEndpoint: (
            "no_local_endpoint",
            "Refused: no endpoint where the service's strict locality asks for one."
        ),
        .undeclaredPort: ("undeclared_port", "Refused: the service does not declare the port."),
        .noWaypoint: (
            "no_waypoint",
            "Refused: its waypoint is not in force, at least not in the address family."
        ),
        .noWaypointEndpoint: ("no_waypoint_endpoint", "Refused: its waypoint has no healthy instance."),
        .waypointIncomplete: (
            "waypoint_incomplete",
            "Refused: the maps were incomplete in every attempt to find its waypoint; see kmeshctl verify."
        ),
        .noMetadata: (
            "no_metadata",
            "Refused: the waypoint could not be told what was dialed; see --waypoint-metadata."
        ),
        .incomplete: (
            "incomplete",
            "Let pass: the maps were incomplete in every attempt; see kmeshctl verify."
        ),
        .noPeerStorage: (
            "no_peer_storage",
            "Steered, but getpeername will show the endpoint: no memory for the socket's storage."
        ),
        .noUDPReply: (
            "no_udp_reply",
            "Steered, but replies will show the endpoint: the reply could not be noted."
        ),
        .optionNotSent: (
            "option_not_sent",
            "Sent to a waypoint by a SYN without room for the option: the TLV alone has to do."
        ),
        .tlvNotSent: (
            "tlv_not_sent",
            "Sent to a waypoint without a TLV (bytes went first, or a map was full): the option has to do."
        ),
        .messageDropped: (
            "message_dropped",
            "A send() to a waypoint failed with EACCES: no memory for the TLV before its bytes."
        ),
        .retried: ("retried", "An update crossed the reading of the maps, and it was read again."),
        .affinityCreated: ("affinity_created", "ClientIP affinity was noted for a client."),
        .affinityExpired: ("affinity_expired", "A client came back after the affinity's timeout."),
        .affinityEndpointGone: (
            "affinity_endpoint_gone",
            "A client's endpoint is gone, and it gets another."
        ),
        .sessionCreated: ("session_created", "A UDP socket began to talk to a service."),
        .sessionEndpointGone: (
            "session_endpoint_gone",
            "A UDP socket's endpoint is gone, and it gets another."
        ),
        .replyTranslated: ("reply_translated", "A datagram shows the address that was dialed as its sender."),
        .peerTranslated: (
            "peer_translated",
            "A connected socket shows the address that was dialed as its peer."
        ),
        .udpReplyCreated: ("udp_reply_created", "The way back of a UDP socket's datagrams was noted."),
        .fromWaypoint: ("from_waypoint", "A waypoint dialed something that has one, and was not redirected."),
        .optionSent: ("option_sent", "A SYN told a waypoint what was dialed."),
        .tlvSent: ("tlv_sent", "A TLV before the first bytes told a waypoint what was dialed."),
        .notRestricted: (
            "not_restricted",
            "Let in: no policy protects the destination, or only such that deny others."
        ),
        .allowed: ("allowed", "Let in by a policy that allows."),
        .probePassed: ("probe_passed", "Let in: kubelet's probe, which passes unless --authz-probes=check."),
        .loopbackPassed: ("loopback_passed", "Let in: within the pod."),
        .switchedOff: ("switched_off", "Let in: authorization is switched off."),
        .udpPassed: ("udp_passed", "A UDP packet: policies are about TCP."),
        .fragmentPassed: ("fragment_passed", "A later fragment: the first one was decided on."),
        .denied: ("denied", "Kept out by a policy that denies."),
        .notAllowed: ("not_allowed", "Kept out: there are policies that allow, and none allows this."),
        .malformed: ("malformed", "Kept out: a packet that no host accepts, or that hides what it is."),
        .noDestination: (
            "no_destination",
            "Decided by --authz-default: not an address that the workload is known by."
        ),
        .noView: ("no_view", "Decided by --authz-default: a view was missing; see kmeshctl verify."),
        .noBlock: ("no_block", "Decided by --authz-default: a block was missing; see kmeshctl verify."),
        .missedTailCall: (
            "missed_tail_call",
            "Decided by --authz-default: a program of the chain was missing."
        ),
        .noFlow: ("no_flow", "Decided by --authz-default: the program's memory was missing."),
        .torn: ("torn", "Decided by --authz-default: updates crossed every reading of an address."),
        .trialDenied: ("trial_denied", "A policy on trial (dry run) would have kept it out."),
        .resetSent: ("reset_sent", "A denial was answered with a reset."),
        .resetNotSent: (
            "reset_not_sent",
            "A denial was not answered: the packet's form is one that is only dropped."
        ),
        .eventLost: ("event_lost", "A denial was not logged: the ring was full."),
        .eventSuppressed: ("event_suppressed", "A denial was not logged: there are too many in a second."),
        .recordLost: (
            "record_lost",
            "A closed connection is missing in access log and metrics: the ring was full."
        ),
        .connectionUnseen: (
            "connection_unseen",
            "A connection is missing in access log and metrics: no memory for it."
        ),
        .traceLost: ("trace_lost", "A verdict on a traced pod was not shown: the ring was full."),
        .routed: ("routed", "Sent to an endpoint of the cluster that an HTTP route chose."),
        .split: ("split", "Sent to an endpoint of the cluster that a listener's weights chose."),
        .deferred: (
            "deferred",
            "Waits for its first request, and would go to the listener's default without one."
        ),
        .noChain: ("no_chain", "Refused: no filter chain of the listener fits."),
        .noHost: ("no_host", "Refused: no virtual host has the request's host."),
        .noRoute: ("no_route", "Refused: no route of the virtual host fits to the request."),
        .noBackend: ("no_backend", "Refused: the route leads to nothing that exists."),
        .noHTTP: (
            "no_http",
            "Refused: it is routed by its request, which takes the kernel module; see --l7-fallback."
        ),
        .maxConnections: ("max_connections", "Refused: as many connections as the service port allows."),
        .missedStep: ("missed_step", "Sent to the listener's default: a program of the chain was missing."),
        .noRoutingEntry: (
            "no_routing_entry",
            "Sent to the listener's default: an entry was missing; see kmeshctl verify."
        ),
        .notDeferred: ("not_deferred", "The kernel module could not defer it: --l7-fallback decided."),
        .notCounted: ("not_counted", "Steered, but not counted against its service port's limit: no memory."),
        .endpointRefused: (
            "endpoint_refused",
            "An endpoint refused the connection, and another one was chosen."
        ),
    ]
}
