package main

import (
	"context"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"time"

	"github.com/ipvsd/ipvsd/pkg/internal/lab"
)

// errand is how the first argument begins where the program is started to be something else: a process of the lab.
const errand = "errand-"

// The errands.
const (
	spareErrand = errand + "count-what-is-spare" // see spare
	piErrand    = errand + "serve-pi"            // with an address: a web server that computes
	slowErrand  = errand + "serve-slowly"        // with an address: one that answers 100 requests a second
)

// runErrand returns when something went wrong.
func runErrand(args []string) error {
	switch {
	case args[0] == spareErrand:
		return count()
	case len(args) != 2:
	case args[0] == piErrand:
		return serveHTTP(args[1], func(context.Context) string { return pi(1000) })
	case args[0] == slowErrand:
		turns := make(chan struct{})
		go func() {
			for range time.Tick(time.Second / 100) {
				turns <- struct{}{}
			}
		}()
		return serveHTTP(args[1], func(asked context.Context) string {
			select {
			case <-turns:
			case <-asked.Done(): // who gave up takes no turn of those who ask next
			}
			return "one of 100 in this second\n"
		})
	}
	return fmt.Errorf("no such errand: %q", args)
}

func serveHTTP(address string, page func(asked context.Context) string) error {
	server := http.Server{Addr: address, ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, page(r.Context()))
	})}
	return server.ListenAndServe()
}

// send starts an errand on a host.
func send(b *bench, host *lab.Host, args ...string) {
	self, err := os.Executable()
	b.Must(err)
	host.Start(append([]string{self}, args...)...)
}

// pi returns so many digits of pi, by Machin's formula: it costs time.
func pi(digits int64) string {
	const guard = 10
	one := new(big.Int).Exp(big.NewInt(10), big.NewInt(digits+guard), nil)
	arctan := func(x int64) *big.Int { // of 1/x
		power := new(big.Int).Quo(one, big.NewInt(x))
		sum, square := new(big.Int).Set(power), big.NewInt(x*x)
		for n := int64(3); power.Sign() != 0; n += 2 {
			power.Quo(power, square)
			term := new(big.Int).Quo(power, big.NewInt(n))
			if n%4 == 3 {
				term.Neg(term)
			}
			sum.Add(sum, term)
		}
		return sum
	}
	sum := new(big.Int).Mul(big.NewInt(4), arctan(5))
	sum.Sub(sum, arctan(239)).Mul(sum, big.NewInt(4))
	text := sum.Quo(sum, new(big.Int).Exp(big.NewInt(10), big.NewInt(guard), nil)).String()
	return text[:1] + "." + text[1:] + "\n"
}
