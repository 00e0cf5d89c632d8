package main

import (
	"errors"
	"fmt"
	"iter"
	"os"
	"strconv"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ipvsd/ipvsd/pkg/daemon"
)

const (
	keepalived      = "keepalived"
	keepalivedFile  = "/etc/keepalived/keepalived.conf"
	ignoreInterrupt = "ignore-sigint"
)

// keepalivedOptions are options of keepalived's that ipvsd itself doesn't have.
type keepalivedOptions struct {
	vrrp, checks, stay, keepTable, keepVRRP, noSyslog, genhash, allConfig bool
	facility, umask, namespace, signum                                    string
	pids                                                                  [3]string
	idle                                                                  []*pflag.Flag
}

// alias are keepalived's names of options that ipvsd has.
var alias = map[string]string{"use-file": "file", "pid": "pid-file", "config-test": "test"}

// signums are what --signum knows, with what keepalived prints.
var signums = map[string]int{"STOP": 15, "RELOAD": 1, "DATA": 10, "STATS": 12, "STATS_CLEAR": 63, "JSON": 36}

// The form of an option that has nothing to act on.
const (
	bare     = iota // it has no value
	valued          // it has one
	optional        // it may have one, behind an equals sign
)

// idle are the options that have nothing to act on. Those without a reason are not noted: who gives them gets what he wants.
var idle = []struct {
	name, letter string
	form         int
	why          string
}{
	{"no_bfd", "B", bare, "sessions run where there is a bfd_instance: without them what tracks it would be down for good; take the bfd_instance out"},
	{"all", "", bare, ""},
	{"log-console", "l", bare, ""},
	{"log-detail", "D", bare, ""},
	{"flush-log-file", "", bare, ""},
	{"release-vips", "X", bare, "it has had no effect in keepalived either for a long time"},
	{"dont-respawn", "R", bare, "there is one process, and systemd starts it again"},
	{"dump-conf", "d", bare, "ipvsctl convert prints the configuration"},
	{"address-monitoring", "a", bare, "ipvsctl vrrp shows what becomes of the virtual addresses"},
	{"snmp", "x", bare, "there is no SNMP; metrics and JSON are on the control socket"},
	{"snmp-agent-socket", "A", valued, "there is no SNMP; metrics and JSON are on the control socket"},
	{"core-dump", "m", bare, "a crash prints what every goroutine did"},
	{"core-dump-pattern", "M", optional, "a crash prints what every goroutine did"},
	{"perf", "", optional, "it is for those who develop keepalived"},
	{"debug", "", optional, "see --log-level"},
	{"no-mem-check", "", bare, "it is for those who develop keepalived"},
	{ignoreInterrupt, "", bare, ""}, // main looks for it
}

// flags adds the options, for use under another name than keepalived's without a line each in the help.
func (k *keepalivedOptions) flags(f *pflag.FlagSet, hide bool) {
	before := make(map[string]bool)
	f.VisitAll(func(f *pflag.Flag) { before[f.Name] = true })
	f.BoolVarP(&k.vrrp, "vrrp", "P", false, "run virtual routers only")
	f.BoolVarP(&k.checks, "check", "C", false, "run virtual servers only")
	f.BoolVarP(&k.stay, "dont-fork", "n", false, "stay in the foreground, as ipvsd does anyway")
	f.BoolVarP(&k.keepTable, "dont-release-ipvs", "I", false, "leave the IPVS table at the stop, whatever on_stop says")
	f.BoolVarP(&k.keepVRRP, "dont-release-vrrp", "V", false, "leave virtual addresses, routes, rules at the stop, without a word to other directors")
	f.BoolVarP(&k.noSyslog, "no-syslog", "G", false, "in the background, don't log to syslog")
	f.BoolVarP(&k.allConfig, "all-config", "e", false, "refuse a configuration that includes files which are not there")
	f.StringVarP(&k.facility, "log-facility", "S", "daemon", "`FACILITY` of syslog: 0 to 7, local0 to local7, user, daemon")
	f.StringVarP(&k.umask, "umask", "u", "", "`MASK` of the files that are made")
	f.StringVarP(&k.namespace, "namespace", "s", "", "run in the network namespace `NAME`")
	f.StringVarP(&k.pids[0], "vrrp_pid", "r", "", "write the process id to `FILE`, too")
	f.StringVarP(&k.pids[1], "checkers_pid", "c", "", "write the process id to `FILE`, too")
	f.StringVarP(&k.pids[2], "bfd_pid", "b", "", "write the process id to `FILE`, too")
	f.StringVar(&k.signum, "signum", "", "print the number of a signal: `NAME` is STOP, RELOAD, DATA, STATS, STATS_CLEAR or JSON")
	f.BoolVarP(&k.genhash, "genhash", "T", false, "not available: curl -s URL | md5sum prints the digest of an HTTP_GET")
	for _, i := range idle {
		usage := "nothing: " + i.why
		if i.why == "" {
			usage = "nothing: it is so anyway"
		}
		if i.name == ignoreInterrupt {
			usage = "go on at SIGINT"
		}
		if i.form == bare {
			f.BoolP(i.name, i.letter, false, usage)
		} else {
			f.StringP(i.name, i.letter, "", usage)
		}
		if i.form == optional {
			f.Lookup(i.name).NoOptDefVal = "-"
		}
		k.idle = append(k.idle, f.Lookup(i.name))
	}
	f.VisitAll(func(f *pflag.Flag) { f.Hidden = hide && !before[f.Name] })
	f.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		if ours, ok := alias[name]; ok {
			name = ours
		}
		return pflag.NormalizedName(name)
	})
}

// noted returns the options that were given and have nothing to act on, with the reason.
func (k *keepalivedOptions) noted() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for n, f := range k.idle {
			if f.Changed && idle[n].why != "" && !yield("--"+f.Name, idle[n].why) {
				return
			}
		}
	}
}

// instead does what is done instead of running a daemon, if that is asked for.
func (k *keepalivedOptions) instead(p *process) (bool, error) {
	switch {
	case k.genhash:
		return true, fmt.Errorf("genhash is no part of ipvsd: curl -s URL | md5sum prints the digest of an HTTP_GET: %w", errUsage)
	case k.signum != "":
		n, known := signums[k.signum]
		if !known {
			fmt.Fprintf(p.stderr, "Unknown sigfunc %s\n", k.signum)
			return true, exit(1)
		}
		fmt.Fprintln(p.stdout, n)
		return true, nil
	}
	return false, nil
}

// apply has the options take effect.
func (k *keepalivedOptions) apply(o *options) error {
	switch {
	case k.vrrp && k.checks: // as with keepalived, both
	case k.vrrp:
		o.Part = daemon.OnlyVRRP
	case k.checks:
		o.Part = daemon.OnlyChecks
	}
	o.KeepTable, o.KeepVRRP, o.AllIncludes = k.keepTable, k.keepVRRP, k.allConfig
	for _, f := range k.pids {
		if f != "" {
			o.PIDFiles = append(o.PIDFiles, f)
		}
	}
	if k.umask != "" {
		mask, err := strconv.ParseUint(k.umask, 0, 12)
		if err != nil || mask > 0o777 {
			return fmt.Errorf("--umask %s: it is a number from 0 to 0777: %w", k.umask, errUsage)
		}
		syscall.Umask(int(mask))
	}
	if _, known := facilities[k.facility]; !known {
		return fmt.Errorf("--log-facility %s: it is 0 to 7, local0 to local7, user or daemon: %w", k.facility, errUsage)
	}
	if k.namespace != "" && o.test == "" {
		o.Namespace = k.namespace
		return enter(k.namespace)
	}
	return nil
}

// asKeepalived changes defaults to keepalived's.
func asKeepalived(cmd *cobra.Command, o *options) {
	f := cmd.Flags()
	for name, value := range map[string]string{"file": keepalivedFile, "dump-dir": "/tmp"} {
		flag := f.Lookup(name)
		flag.DefValue = value
		_ = flag.Value.Set(value) // a string takes any
	}
	o.PIDFiles = []string{"/run/keepalived.pid"} // --pid replaces it
	f.Lookup("pid-file").DefValue = "[/run/keepalived.pid]"
	o.foreign.pids = [3]string{"/run/keepalived_vrrp.pid", "/run/keepalived_checkers.pid"}
	// Who asks a keepalived for its version wants to know what it can do.
	cmd.Version = "2.2.7"
	cmd.SetVersionTemplate(fmt.Sprintf("Keepalived v2.2.7 (it is ipvsd %s)\n\nconfigure options: --enable-json --enable-bfd --enable-regex\n\n"+
		"Config options:  LVS REGEX VRRP VRRP_AUTH VRRP_VMAC JSON BFD INIT=systemd SYSTEMD_NOTIFY\n", o.Version))
	cmd.SetOut(cmd.ErrOrStderr()) // where exporters read it
}

// keepalivedCode is the exit code that keepalived has for an error.
func keepalivedCode(err error) int {
	switch {
	case err == nil, errors.Is(err, daemon.ErrRunning):
		return 0 // "daemon is already running"
	case errors.Is(err, errForeign):
		return exitForeign
	case errors.Is(err, errInsecure), errors.Is(err, errNoConfig):
		return 6
	case errors.Is(err, daemon.ErrConfig):
		return 2
	}
	return 1
}

// errNoConfig is why keepalived doesn't start without a file.
var errNoConfig = errors.New("there is no configuration")

// entered says, in the environment, which network namespace the process was moved to.
const entered = "IPVSD_NAMESPACE"

// enter starts this program again in a network namespace: threads that run already can't all move there.
func enter(namespace string) error {
	if os.Getenv(entered) == namespace {
		return os.Unsetenv(entered) // scripts have no use for it
	}
	return restartIn(namespace, append(os.Environ(), entered+"="+namespace))
}
