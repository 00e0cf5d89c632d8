package daemon

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"reflect"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/script"
)

// unfit returns which scripts of a configuration can't be run and which files of its checks can't be read as things are, a warning
// each; and whether one of the scripts is insecure. They are no reason to refuse it: what is put
// right works the next time.
func unfit(cfg *config.Config) (list config.Diagnostics, insecure bool) {
	uses := make(map[outside]int)
	var wanted []outside
	first := make(map[outside]string) // who wants it
	add := func(o outside, what, owner string) {
		if uses[o]++; uses[o] == 1 {
			wanted = append(wanted, o)
			first[o] = what + " of " + owner
		}
	}
	note := func(s *config.Script, event, owner string) {
		if s != nil {
			add(outside{s.Argv[0], s.User, s.Group, true}, event, owner)
		}
	}
	for _, vs := range cfg.VirtualServers {
		note(vs.QuorumUp, "quorum_up", vs.Name)
		note(vs.QuorumDown, "quorum_down", vs.Name)
		for rs := range vs.Servers() {
			note(rs.NotifyUp, "notify_up", vs.Name)
			note(rs.NotifyDown, "notify_down", vs.Name)
			for _, id := range rs.Checks {
				c := id.Check()
				for _, o := range needsOf(c.Spec) {
					add(o, c.Type, vs.Name)
				}
			}
		}
	}
	of := func(n *config.Notify, owner string) {
		for _, e := range []struct {
			event  string
			script *config.Script
		}{
			{"notify_master", n.Master}, {"notify_backup", n.Backup}, {"notify_fault", n.Fault}, {"notify_stop", n.Stop},
			{"notify_deleted", n.Deleted}, {"notify", n.Any}, {"notify_master_rx_lower_pri", n.RxLowerPri},
		} {
			note(e.script, e.event, owner)
		}
	}
	for _, i := range cfg.VRRP.Instances {
		of(&i.Notify, i.Name)
		for _, id := range slices.Sorted(maps.Keys(i.KeyFiles)) {
			add(outside{path: i.KeyFiles[id]}, "auth_hmac", i.Name)
		}
		if i.PasswordFile != "" {
			add(outside{path: i.PasswordFile}, "auth_pass_file", i.Name)
		}
	}
	for _, g := range cfg.VRRP.Groups {
		of(&g.Notify, g.Name)
	}
	note(cfg.GlobalDefs.Startup.Script, "startup_script", "ipvsd")
	note(cfg.GlobalDefs.Shutdown.Script, "shutdown_script", "ipvsd")
	for _, f := range cfg.GlobalDefs.FIFOs {
		note(f.Script, "the reader", f.Path)
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.VRRP.Scripts)) {
		for _, o := range needsOf(cfg.VRRP.Scripts[name].Check().Spec) {
			add(o, "vrrp_script", name)
		}
	}
	for _, o := range wanted {
		what, err := o.try()
		if err == nil {
			continue
		}
		insecure = insecure || errors.Is(err, script.ErrInsecure)
		who := first[o]
		if more := uses[o] - 1; more > 0 {
			who += fmt.Sprintf(" and %d more", more)
		}
		list = append(list, cfg.Remark(o.path, fmt.Sprintf("%s will not %s: %v", who, what, err)))
	}
	return list, insecure
}

// absent returns a warning for each interface that virtual routers need, and that this host doesn't have.
func absent(cfg *config.Config) (list config.Diagnostics) {
	wanted := cfg.VRRP.Interfaces()
	if len(wanted) == 0 || cfg.VRRP.DynamicIfs {
		return nil
	}
	there, err := net.Interfaces()
	if err != nil {
		return nil // nothing is known, and what comes of it is in the status
	}
	var names []string
	for i := range there {
		if there[i].Flags&net.FlagLoopback == 0 {
			names = append(names, there[i].Name)
		}
	}
	for _, name := range wanted {
		if slices.ContainsFunc(there, func(i net.Interface) bool { return i.Name == name }) {
			continue
		}
		d := cfg.Remark(name, fmt.Sprintf("this host has no interface %s: it counts as down until it comes", name))
		d.Hint = "dynamic_interfaces = true in [global_defs] says that it comes later"
		if len(names) > 0 {
			d.Hint = "it has " + strings.Join(names[:min(len(names), 8)], ", ") + "; " + d.Hint
		}
		list = append(list, d)
	}
	return list
}

// outside is a program, or a file, that a configuration names.
type outside struct {
	path        string
	user, group string // of a program
	program     bool
}

// try returns what can't be done, and why.
func (o outside) try() (what string, err error) {
	if o.program {
		return "run", (script.Command{Argv: []string{o.path}, User: o.user, Group: o.group}).Check()
	}
	if err := unix.Access(o.path, unix.R_OK); err != nil {
		return "pass", fmt.Errorf("%s: %w", o.path, err)
	}
	return "", nil
}

// needsOf returns what a check needs outside of the configuration. A file that it is about need not be there.
func needsOf(s health.Spec) (list []outside) {
	if misc, ok := s.(health.Misc); ok {
		for path := range misc.Argv.All() {
			return []outside{{path, misc.User, misc.Group, true}}
		}
	}
	file := func(path string) {
		if path != "" {
			list = append(list, outside{path: path})
		}
	}
	for _, value := range reflect.ValueOf(s).Fields() {
		switch f := value.Interface().(type) {
		case health.TLS:
			file(f.CA)
			file(f.Cert)
			file(f.Key)
		case health.Secret:
			file(f.File)
		}
	}
	return list
}
