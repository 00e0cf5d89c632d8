package main

import (
	"net"
	"os"
	"path/filepath"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// measureDropIn has ipvsd and keepalived read the same keepalived.conf, of the size of keepalived's issue 2318: every server is one of
// its own, and answers its check.
func measureDropIn(r *run) {
	dir := r.tempDir()
	r.turns(func(n int) {
		for _, z := range r.sizes(size{services: 50, servers: 4}, size{services: 2300, servers: 16}) {
			z.checked = true
			t := r.tables(z, "ipvsd", "keepalived")
			other := keepalived(dir, z)
			other.dies = true // it kills its checker, which takes longer than a second
			for _, c := range inTurn(n, []contender{dropIn(r.bin, dir, z), other}) {
				r.Within(func() { c.measure(r.bench, z, t) })
			}
		}
	})
}

// dropIn is ipvsd with keepalived's file.
func dropIn(bin, dir string, z size) contender {
	file := filepath.Join(dir, "dropin.conf")
	return contender{
		name:  "ipvsd",
		start: ipvsdCommand(bin, dir, file),
		fresh: func() { _ = os.Remove(filepath.Join(dir, "owned.json")) },
		write: writeKeepalived(file, z),
	}
}

// answer makes all servers addresses of the host, and takes what connects to them.
func answer(b *bench, host *lab.Host) {
	host.Run("ip", "link", "set", "lo", "up")
	host.Run("ip", "route", "replace", "local", "10.2.0.0/16", "dev", "lo")
	var listener net.Listener
	b.Must(host.Do(func() (err error) {
		listener, err = net.Listen("tcp", ":80")
		return err
	}))
	b.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
		}
	}()
}
