package vrrp

// Reject is why a packet is not believed, in the order of the checks. It is an error, whose text is for the log.
type Reject uint8

const (
	RejectAuthHeader  Reject = iota + 1 // AH is missing, or there without being configured
	RejectLength                        // shorter or longer than its parts say
	RejectTTL                           // not 255 on multicast
	RejectVersion                       // of VRRP
	RejectTrailer                       // auth_hmac: missing, stale or wrong
	RejectReplay                        // auth_hmac, AH: seen before
	RejectAuthType                      // version 2
	RejectPassword                      // version 2
	RejectICV                           // AH
	RejectInterval                      // version 2: another interval than ours
	RejectType                          // not an advertisement
	RejectIPLength                      // the IP header says another length
	RejectChecksum                      //
	RejectCast                          // unicast where multicast was expected, or the other way round
	RejectOwner                         // owner_ignore_adverts
	RejectPeer                          // not a unicast_peer, with check_unicast_src
	RejectPeerTTL                       // outside of the peer's min_ttl and max_ttl
	RejectOurs                          // our own packet came back, or our address is another one's
	RejectUnknownVRID                   // counted by the runner: no instance has it
	RejectState                         // ignored in this state: fault, startup delay
)
