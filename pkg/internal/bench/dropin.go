package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// measureDropIn has ipvsd and keepalived read the same keepalived.conf, of the size of keepalived's issue 2318 if -services 2300
// -servers 16 say so: every server is one of its own, and answers its check.
func measureDropIn(b *bench, bin string, runs int, z size) {
	dir := b.tempDir()
	contenders := []contender{dropIn(bin, dir, z), keepalived(dir, z)}
	contenders[1].dies = true // it kills its checker, which takes longer than a second
	results := make([]result, len(contenders))
	for n := range runs {
		for i, c := range contenders {
			b.Within(func() { c.measure(b, z, &results[i]) })
		}
		fmt.Fprintf(os.Stderr, "run %d of %d\n", n+1, runs)
	}
	printRows(contenders, results, z, runs)
}

// dropIn is ipvsd with keepalived's file.
func dropIn(bin, dir string, z size) contender {
	file := filepath.Join(dir, "dropin.conf")
	write := writeKeepalived(file, z)
	return contender{
		name: "ipvsd",
		start: []string{filepath.Join(bin, "ipvsd"), "-f", file, "--socket", filepath.Join(dir, "socket"),
			"--state-dir", dir, "--log-level", "error"},
		write: func(b *bench, weight int) {
			_ = os.Remove(filepath.Join(dir, "owned.json")) // each start is the first
			write(b, weight)
		},
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
