package doctor

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// modules asks whether the kernel has what the services need.
func modules(f *Facts, r *Report) {
	if !f.IPVS {
		if len(f.heldForOthers()) > 0 || len(f.Prepared) > 0 { // a real server needs none
			return
		}
		r.found(f.module("ip_vs", Problem, "The kernel has no IPVS at work.", "Nothing can be balanced on this machine."))
		return
	}
	wanted := map[string][]string{}
	need := func(module, service string) {
		if state, known := f.Modules[module]; known && state != Loaded {
			wanted[module] = append(wanted[module], service)
		}
	}
	if f.Daemon != nil {
		for _, s := range f.Daemon.Services {
			if s.InTable || len(s.Options) == 0 {
				continue
			}
			need("ip_vs_"+s.Options[0], s.Key.String())
			if slices.Contains(s.Options, "pe sip") {
				need("ip_vs_pe_sip", s.Key.String())
			}
		}
	}
	var names []string
	for name := range wanted {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		r.found(f.module(name, Problem, fmt.Sprintf("The kernel has not loaded %s, which %s needs to be put into its table.", name, some(wanted[name])),
			"The service does not exist until then. As a rule the kernel loads the module by itself, but not where modprobe is missing or not allowed, as in containers."))
	}
	for _, s := range f.services() {
		const ftp = 21
		if s.Key.Protocol != ipvs.TCP || s.Key.Addr.Port() != ftp || f.Modules["ip_vs_ftp"] == Loaded || f.Modules["ip_vs_ftp"] == "" {
			continue
		}
		for i := range s.Servers {
			if forwards(&s.Servers[i], ipvs.NAT) {
				r.found(f.module("ip_vs_ftp", Problem, s.Key.String()+" looks like FTP under NAT, and ip_vs_ftp is not loaded.",
					"Without it nobody translates the addresses that FTP sends in its commands: logins work, transfers don't."))
				break
			}
		}
	}
}

func (f *Facts) module(name string, severity Severity, what, why string) Finding {
	found := Finding{ID: "module-" + strings.ReplaceAll(name, "_", "-"), Severity: severity, Where: name, What: what, Why: why}
	if f.Modules[name] == Missing {
		found.Then = fmt.Sprintf("There is no %s for this kernel (%s) on the machine: install the package with its modules (linux-modules-extra-%s on Ubuntu, "+
			"kernel-modules on Fedora), or another kernel. In a container it has to be loaded on the host.", name, f.Release, f.Release)
		return found
	}
	found.Mend = []string{"modprobe " + name}
	found.Then = fmt.Sprintf("Until the machine starts again; to keep it, write %s into a file such as /etc/modules-load.d/ipvs.conf.", name)
	return found
}
