package vrrp

// Reject is why a packet is not believed, in the order of the checks. It is an error, whose text is for the log.
type Reject uint8

// What can be wrong with a packet.
const (
	RejectAuthHeader  Reject = iota + 1 // AH is missing, or there without being configured
	RejectLength                        // shorter or longer than its parts say; version 3 without addresses
	RejectTTL                           // not 255 on multicast
	RejectVersion                       // of VRRP
	RejectTrailer                       // auth_hmac: missing, stale or wrong
	RejectReplay                        // auth_hmac, AH: seen before
	RejectAuthType                      // version 2
	RejectPassword                      // version 2
	RejectICV                           // AH
	RejectInterval                      // version 2: another interval than ours; version 3: none
	RejectType                          // not an advertisement
	RejectIPLength                      // the IP header says another length
	RejectChecksum                      //
	RejectCast                          // unicast where multicast was expected, or the other way round
	RejectOwner                         // owner_ignore_adverts
	RejectPeer                          // not a unicast_peer, with check_unicast_src
	RejectPeerTTL                       // outside of the peer's min_ttl and max_ttl
	RejectOurs                          // our own packet came back, or our address is another one's
	RejectUnknownVRID                   // no instance has it
	RejectState                         // ignored in this state: fault, startup delay
)

// rejects holds of each reason the word for programs, the text for the log and what an operator can do.
var rejects = [...]struct{ word, text, hint string }{
	RejectAuthHeader: {"auth_header", "the authentication header is missing, malformed or not expected",
		"auth_type AH must be set on all routers of the VRID, or on none"},
	RejectLength: {"length", "it is shorter or longer than its version and its number of addresses say, or has none",
		"not made by a VRRP router, damaged on the way, or one router has auth_hmac and the other has not"},
	RejectTTL: {"ttl", "its TTL is not 255: a router has forwarded it, or it was sent with another TTL",
		"multicast adverts must come from this link; unicast_ttl without unicast_peer sends them with TTL 0"},
	RejectVersion: {"version", "it is of another version of VRRP",
		"set the same version, or vrrp_version, on all routers of the VRID"},
	RejectTrailer: {"hmac", "its auth_hmac trailer is missing, too old or too new, or made with another key",
		"compare the keys and the clocks of the routers; mode permissive helps while auth_hmac is rolled out"},
	RejectReplay: {"replay", "it was seen before",
		"somebody repeats adverts, the network duplicates them, or the sender began to count anew"},
	RejectAuthType: {"auth_type", "it is authenticated in another way",
		"set the same auth_type on all routers of the VRID"},
	RejectPassword: {"password", "its password is another one",
		"set the same auth_pass on all routers of the VRID; only the first 8 bytes count"},
	RejectICV: {"icv", "its authentication header was made with another password, or it was changed on the way",
		"set the same auth_pass on all routers of the VRID; NAT and AH exclude each other"},
	RejectInterval: {"interval", "it says another advert interval, or none at all",
		"version 2 demands the same advert_int on all routers of the VRID"},
	RejectType: {"type", "it is not an advertisement",
		"not made by a VRRP router"},
	RejectIPLength: {"ip_length", "the length in its IP header is not the one it has",
		"not made by a VRRP router, or damaged on the way"},
	RejectChecksum: {"checksum", "its checksum is wrong",
		"damaged on the way; or set v3_checksum_as_v2 on both routers or on none, old_unicast_checksum for keepalived up to 1.3.6"},
	RejectCast: {"cast", "it is multicast where this router uses unicast, or the other way round",
		"set unicast_peer on all routers of the VRID, or on none"},
	RejectOwner: {"owner", "this router owns the addresses and ignores adverts of others",
		"another router claims the addresses: no other one may have priority 255"},
	RejectPeer: {"peer", "it comes from no unicast_peer",
		"add the sender to unicast_peer, or look for who it is"},
	RejectPeerTTL: {"peer_ttl", "its TTL is outside of the window of that unicast_peer",
		"compare min_ttl and max_ttl of the peer with the hops between the routers"},
	RejectOurs: {"own_address", "it comes from the very address that this router sends from",
		"the packet came back by a loop, or two routers have the same address"},
	RejectUnknownVRID: {"unknown_vrid", "no instance has its virtual_router_id on that interface",
		"another cluster on this link, or a wrong virtual_router_id"},
	RejectState: {"state", "this router did not take part then: it was at fault, or waited for its start",
		"nothing is wrong with the adverts"},
}

// String returns the word of status and metrics, which never changes.
func (r Reject) String() string { return rejects[r].word }

// Error returns what is wrong, for the log.
func (r Reject) Error() string { return "advert not believed: " + rejects[r].text }

// Text returns what is wrong with the advert, as a part of a sentence.
func (r Reject) Text() string { return rejects[r].text }

// Hint returns what an operator can do about it.
func (r Reject) Hint() string { return rejects[r].hint }
