package config

import (
	"time"

	"github.com/ipvsd/ipvsd/pkg/health"
)

var sessionKeywords = []keyword{
	{in: inBFDCheck, name: "name", kind: text, doc: "name of a bfd_instance table"},
}

// readBFD reads a check that follows a session. What servers say of retry is about probes, of which one may fail by chance: here
// that is what the session's multiplier is for.
func readBFD(c *chain, k *health.Check) {
	c.missing(`write name = "NAME", of a [bfd_instance.NAME]`, "name")
	name, v := own[string](c, "name")
	if v != nil && v.data != nil && c.frame.vrrp.BFD[name] == nil {
		c.unknown(v.at, "bfd_instance", name, sortedKeys(c.frame.vrrp.BFD))
	}
	if written("retry", c.own[:]...) == nil && written("fall", c.own[:]...) == nil {
		k.Retry = int(c.kind.usual("retry").(int64))
	}
	k.Timeout = c.kind.usual("connect_timeout").(time.Duration) // nothing is waited for
	k.Spec = health.BFD{Session: name}
}

func printBFD(spec health.Spec, _ *printer) inline {
	return inline{{"name", spec.(health.BFD).Session, nil}}
}
