package choice

import (
	"encoding/binary"
	"math/bits"
	"net/netip"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// What kernels are built with unless somebody wished otherwise (CONFIG_IP_VS_SH_TAB_BITS, CONFIG_IP_VS_DH_TAB_BITS, CONFIG_IP_VS_MH_TAB_INDEX).
const (
	tableBits = 8
	tableSize = 1 << tableBits
	mhSize    = 4093
	mhBits    = 12 / 2
)

// fold is an address as the hashes see it: 32 bits, an IPv6 one with its parts joined by exclusive or.
func fold(a netip.Addr) uint32 {
	if a.Is4() {
		b := a.As4()
		return binary.BigEndian.Uint32(b[:])
	}
	b := a.As16()
	return binary.BigEndian.Uint32(b[:]) ^ binary.BigEndian.Uint32(b[4:]) ^ binary.BigEndian.Uint32(b[8:]) ^ binary.BigEndian.Uint32(b[12:])
}

// hash32 is the kernel's hash_32: the upper bits of a product.
func hash32(v uint32) uint32 { return v * 0x61C88647 >> (32 - tableBits) }

// sipHash13 is SipHash-1-3 of 4 bytes, of which 64-bit kernels take the lower half (hsiphash).
func sipHash13(v uint32, k0, k1 uint64) uint32 {
	v0, v1, v2, v3 := k0^0x736f6d6570736575, k1^0x646f72616e646f6d, k0^0x6c7967656e657261, k1^0x7465646279746573
	round := func() {
		v0 += v1
		v1 = bits.RotateLeft64(v1, 13) ^ v0
		v0 = bits.RotateLeft64(v0, 32)
		v2 += v3
		v3 = bits.RotateLeft64(v3, 16) ^ v2
		v0 += v3
		v3 = bits.RotateLeft64(v3, 21) ^ v0
		v2 += v1
		v1 = bits.RotateLeft64(v1, 17) ^ v2
		v2 = bits.RotateLeft64(v2, 32)
	}
	b := 4<<56 | uint64(v)
	v3 ^= b
	round()
	v0 ^= b
	v2 ^= 0xff
	round()
	round()
	round()
	return uint32(v0 ^ v1 ^ v2 ^ v3)
}

// first and second are the hashes of mh, whose keys are the same word twice (generate_hash_secret).
func first(v uint32) uint32  { return sipHash13(v, 2654435761, 2654435761) }
func second(v uint32) uint32 { return sipHash13(v, 2654446892, 2654446892) }

// hash decides for sh, dh and mh.
func (a *Answer) hash(q *Question) {
	s := q.Service
	certain := true
	if r, err := ipvs.ParseRelease(q.Release); s.Scheduler != "mh" && (err != nil || r.Compare(ipvs.Release{Major: 4, Minor: 18}) < 0) {
		a.How = ByScheduler
		a.because("%s hashes, before Linux 4.18 otherwise than now: which server that gives is not known here, but always the same.", s.Scheduler)
		return
	}
	if s.Scheduler == "mh" && !q.Wide {
		a.How = ByScheduler
		a.because("mh hashes, on 32-bit kernels otherwise: which server that gives is not known here, but always the same.")
		return
	}
	what, key := "the client's address", fold(q.Client.Addr())
	if s.Scheduler == "dh" {
		if s.Key.FWMark != 0 {
			a.How = ByScheduler
			a.because("dh hashes the address that the client connects to, and with a firewall mark that can be any.")
			return
		}
		what, key = "the service's address", fold(s.Key.Addr.Addr())
	} else if s.Flags&ipvs.SHPort != 0 { // mh's is the same bit
		what = "the client's address and port"
		if q.Client.Port() == 0 {
			a.How = ByScheduler
			a.because("%s hashes the client's port, too: give it, as ADDRESS:PORT. Each port may have another server.", s.Scheduler)
			return
		}
		key += uint32(q.Client.Port())
	}
	var table []int // a place in the candidates for each bucket
	place := func(offset uint32) uint32 { return (offset + hash32(key)) % tableSize }
	size := uint32(tableSize)
	switch s.Scheduler {
	case "sh":
		table = weightedTurns(a.Candidates)
	case "dh":
		table = turns(len(a.Candidates))
	case "mh":
		table, size = maglev(a.Candidates), mhSize
		place = func(offset uint32) uint32 { return first(key+offset) % mhSize }
		for _, c := range a.Candidates {
			if c.Weight == 0 {
				certain = false
				a.doubt("mh keeps the places of a server with weight 0 by the weight that it had before, which the kernel doesn't tell (%s).", c.Server)
				break
			}
		}
	}
	a.How = ByScheduler
	if len(table) == 0 {
		a.because("No server has a weight: the client is dropped.")
		a.chosen(ByNobody, netip.AddrPort{}, certain)
		return
	}
	at := place(0)
	c := &a.Candidates[table[at]]
	a.because("%s hashes %s: place %d of %d, which is %s's.", s.Scheduler, what, at, size, c.Server)
	a.doubt("The size of the table is the usual one; a kernel can be built with another (CONFIG_IP_VS_%s).",
		map[string]string{"sh": "SH_TAB_BITS", "dh": "DH_TAB_BITS", "mh": "MH_TAB_INDEX"}[s.Scheduler])
	if c.Can {
		a.settle(c, certain)
		return
	}
	a.because("That server takes no new connections: %s.", c.Why)
	if s.Scheduler == "dh" || s.Flags&ipvs.SHFallback == 0 { // mh's is the same bit
		a.because("%s without fallback drops the client, until the server takes connections again.", s.Scheduler)
		a.chosen(ByNobody, netip.AddrPort{}, certain)
		return
	}
	for offset := range size {
		then := place((offset + at) % size)
		if c := &a.Candidates[table[then]]; c.Can {
			a.because("%s-fallback goes on, to place %d: %s.", s.Scheduler, then, c.Server)
			a.settle(c, certain)
			return
		}
	}
	a.because("No server takes new connections: the client is dropped.")
	a.chosen(ByNobody, netip.AddrPort{}, certain)
}

func (a *Answer) settle(c *Candidate, certain bool) {
	if c.maybe {
		a.because("%s is %s.", c.Server, c.Why)
		certain = false
	}
	if c.Why == "" {
		c.Why = "its place in the table"
	}
	a.chosen(ByScheduler, c.Server, certain)
}

// turns fills dh's table: one server after the other (ip_vs_dh_reassign).
func turns(servers int) []int {
	table := make([]int, tableSize)
	for i := range table {
		table[i] = i % servers
	}
	return table
}

// weightedTurns fills sh's: each server as many places as its weight, one at least (ip_vs_sh_reassign).
func weightedTurns(servers []Candidate) []int {
	table := make([]int, tableSize)
	server, had := 0, int32(0)
	for i := range table {
		table[i] = server % len(servers)
		if had++; had >= servers[server%len(servers)].Weight {
			server, had = server+1, 0
		}
	}
	return table
}

// maglev fills mh's (ip_vs_mh_populate): each server in turn, as often as its weight says, takes the next free place of a permutation of its
// own. Empty: no server has a weight.
func maglev(servers []Candidate) []int {
	var divisor, most int32
	for _, c := range servers {
		divisor, most = gcd(c.Weight, divisor), max(most, c.Weight)
	}
	if divisor == 0 {
		return nil
	}
	shift := max(0, bits.Len32(uint32(most/divisor))-mhBits)
	type setup struct{ at, skip, turns uint32 }
	setups := make([]setup, len(servers))
	for i, c := range servers {
		key := fold(c.Server.Addr()) + uint32(c.Server.Port())
		setups[i] = setup{first(key) % mhSize, second(key)%(mhSize-1) + 1, uint32(c.Weight/divisor) >> shift}
		if c.Weight > 0 {
			setups[i].turns = max(1, setups[i].turns)
		}
	}
	table := make([]int, mhSize)
	for i := range table {
		table[i] = -1
	}
	for n := 0; ; {
		for i := range setups {
			s := &setups[i]
			for range s.turns {
				for table[s.at] >= 0 {
					s.at = (s.at + s.skip) % mhSize
				}
				table[s.at] = i
				if n++; n == mhSize {
					return table
				}
			}
		}
	}
}

func gcd(a, b int32) int32 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
