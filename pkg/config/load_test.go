package config

import (
	"fmt"
	"strings"
	"testing"
)

// generated writes a file with so many services and servers each; long gives every server a table of its own.
func generated(services, servers int, long bool) []byte {
	var b strings.Builder
	for s := range services {
		fmt.Fprintf(&b, "[[virtual_server]]\naddress = \"10.%d.%d.%d:80\"\n", s>>16, s>>8&255, s&255)
		b.WriteString("protocol = \"TCP\"\nlb_algo = \"wrr\"\nTCP_CHECK = true\n")
		if !long {
			b.WriteString("real_servers = [")
		}
		for r := range servers {
			n := s*servers + r
			address := fmt.Sprintf("172.%d.%d.%d:80", 16+n>>16, n>>8&255, n&255)
			if long {
				fmt.Fprintf(&b, "  [[virtual_server.real_server]]\n  address = %q\n  weight = %d\n", address, r+1)
			} else {
				fmt.Fprintf(&b, "%q, ", address)
			}
		}
		if !long {
			b.WriteString("]\n")
		}
	}
	return []byte(b.String())
}

func BenchmarkLoad(b *testing.B) {
	for _, size := range []struct{ services, servers int }{{500, 20}, {2300, 16}, {1000, 100}} {
		for _, form := range []string{"short", "long"} {
			text := generated(size.services, size.servers, form == "long")
			b.Run(fmt.Sprintf("%dx%d/%s", size.services, size.servers, form), func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				for b.Loop() {
					if c, found := Load("bench.toml", text); c == nil || len(c.VirtualServers) != size.services {
						b.Fatal(found)
					}
				}
			})
		}
	}
}

// A director with very many virtual routers and addresses is read in a moment.
func BenchmarkLoadVRRP(b *testing.B) {
	var text strings.Builder
	for n := range 1000 {
		fmt.Fprintf(&text, "[vrrp_instance.VI_%d]\ninterface = \"eth%d\"\nvirtual_router_id = %d\nvirtual_ipaddress = [\"10.%d.%d.1/24\"]\n", n, n>>7, n&127+1, n>>8, n&255)
		if n == 0 {
			text.WriteString("virtual_ipaddress_excluded = [\n")
			for a := range 10000 {
				fmt.Fprintf(&text, "\"10.200.%d.%d/32\",\n", a>>8, a&255)
			}
			text.WriteString("]\n")
		}
	}
	b.SetBytes(int64(text.Len()))
	for b.Loop() {
		if c, found := Load("bench.toml", []byte(text.String())); c == nil || len(c.VRRP.Instances) != 1000 {
			b.Fatal(found)
		}
	}
}
