package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/daemon"
)

const ldirectord = "ldirectord"

// Exit codes of ldirectord, which its OCF agent and init scripts know.
const (
	ldirectordFailed  = 1
	ldirectordConfig  = 2
	ldirectordStopped = 3
	ldirectordUsage   = 255
)

// ldirectordDirs are where a configuration that is named without a path is looked for.
var ldirectordDirs = []string{"/etc/ha.d", "/etc/ha.d/conf", "/etc"}

const ldirectordForm = `usage: ldirectord [-d|--debug] [--] [CONFIGFILE] start|stop|restart|try-restart|reload|force-reload|status
       ldirectord -h|--help|-v|--version

It is ipvsd, which runs CONFIGFILE (default: ldirectord.cf, looked for in /etc/ha.d, /etc/ha.d/conf and /etc) as ldirectord does. With
-d it stays in the foreground. ipvsctl convert CONFIGFILE says what is done in another way.
`

// director is a ldirectord with its configuration.
type director struct {
	*process
	file    string // of the configuration
	pidFile string
	debug   bool
}

// ldirectord does what ldirectord's command line says, and returns its exit code.
func (p *process) ldirectord(ctx context.Context, args []string) int {
	d := director{process: p}
	var words []string
	for i, a := range args {
		switch a {
		case "-h", "-?", "--help":
			fmt.Fprint(p.stdout, ldirectordForm)
			return 0
		case "-v", "--version":
			fmt.Fprintf(p.stdout, "ldirectord (it is ipvsd %s)\n", daemon.Version())
			return 0
		case "-d", "--debug":
			d.debug = true
			continue
		case "--":
			words = append(words, args[i+1:]...)
		default:
			words = append(words, a)
			continue
		}
		break
	}
	verbs := map[string]func(director, context.Context) int{
		"start": director.start, "stop": director.stop, "restart": director.restart, "try-restart": director.tryRestart,
		"reload": director.reload, "force-reload": director.reload, "status": director.status,
	}
	name := "ldirectord.cf"
	if len(words) == 2 {
		name, words = words[0], words[1:]
	}
	if len(words) != 1 || verbs[words[0]] == nil {
		fmt.Fprint(p.stderr, ldirectordForm)
		return ldirectordUsage
	}
	d.find(name)
	if pid, _ := d.running(); d.file == "" && (pid == 0 || words[0] != "stop" && words[0] != "status") {
		fmt.Fprintf(p.stderr, "Config file %s not found\n", name)
		return ldirectordFailed
	}
	if p.inherits != nil {
		return d.run(ctx)
	}
	return verbs[words[0]](d, ctx)
}

// find fills in where the configuration is, and the file with the process id.
func (d *director) find(name string) {
	places := []string{name}
	if !strings.HasPrefix(name, "/") {
		places = nil
		for _, dir := range ldirectordDirs {
			places = append(places, filepath.Join(dir, name))
		}
		places = append(places, name)
	}
	at := slices.IndexFunc(places, func(path string) bool {
		info, err := os.Stat(path)
		return err == nil && info.Mode().IsRegular()
	})
	if at >= 0 {
		d.file = places[at]
	}
	base := filepath.Base(name)
	if base == "ldirectord.cf" { // ldirectord drops the end of its own
		base = ldirectord
	}
	d.pidFile = filepath.Join("/var/run", "ldirectord."+base+".pid")
}

// running returns the process that runs the configuration; 0 if none does. A file is stale that is left of one.
func (d director) running() (pid int, stale bool) {
	text, err := os.ReadFile(d.pidFile)
	if err != nil {
		return 0, false
	}
	pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid <= 1 {
		return 0, true
	}
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil || !isLdirectord(strings.Split(string(line), "\x00")) {
		return 0, true
	}
	return pid, false
}

// isLdirectord says whether a command line is ours under this name, or ldirectord's own, which Perl runs; an editor that has its
// configuration open is none.
func isLdirectord(argv []string) bool {
	at := 0
	if strings.HasPrefix(filepath.Base(argv[0]), "perl") {
		at = slices.IndexFunc(argv[1:], func(a string) bool { return !strings.HasPrefix(a, "-") }) + 1
	}
	return filepath.Base(argv[at]) == ldirectord
}

func (d director) status(context.Context) int {
	pid, stale := d.running()
	switch {
	case pid != 0:
		fmt.Fprintf(d.stdout, "ldirectord for %s is running with pid: %d\n", d.file, pid)
		return 0
	case stale:
		fmt.Fprintf(d.stdout, "ldirectord stale pid file %s for %s\n", d.pidFile, d.file)
		return ldirectordFailed
	}
	fmt.Fprintf(d.stdout, "ldirectord is stopped for %s\n", d.file)
	return ldirectordStopped
}

// valid says whether the configuration can be used, and on stderr why it can't. What else there is to say about it the daemon has in its log.
func (d director) valid() bool {
	v := daemon.Check(d.file, daemon.Reading{})
	if v.Rejected == "" {
		return true
	}
	_ = v.Problems(d.stderr) // there is no other place to say it
	return false
}

func (d director) start(ctx context.Context) int {
	if d.detached {
		return d.run(ctx)
	}
	if pid, _ := d.running(); pid != 0 {
		return 0
	}
	if !d.valid() {
		return ldirectordConfig
	}
	if d.debug || d.supervised() {
		return d.run(ctx)
	}
	return d.code(detach(d.process, []string{os.Args[0], d.file, "start"}))
}

// supervised says whether the configuration wants the foreground.
func (d director) supervised() bool {
	text, err := os.ReadFile(d.file)
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		key, value, assigned := strings.Cut(strings.TrimSpace(line), "=")
		if strings.TrimSpace(key) == "supervised" && (!assigned || strings.TrimSpace(value) == "yes") {
			return true
		}
	}
	return false
}

// run is the daemon.
func (d director) run(ctx context.Context) int {
	o := &options{level: slog.LevelInfo, foreign: keepalivedOptions{facility: "daemon"}}
	o.Options = daemon.Options{
		ConfigFile: d.file, Socket: control.SocketFromEnv(), StateDir: daemon.StateDir, PIDFiles: []string{d.pidFile},
		Version: daemon.Version(), Ready: d.ready,
	}
	return d.code(d.daemon(ctx, o))
}

// code says what went wrong, and returns the exit code.
func (d director) code(err error) int {
	if code, ok := errors.AsType[exit](err); ok {
		return int(code) // the child has said it
	}
	if err == nil {
		return 0
	}
	fmt.Fprintf(d.stderr, "ldirectord: %v\n", err)
	if errors.Is(err, daemon.ErrConfig) {
		return ldirectordConfig
	}
	return ldirectordFailed
}

func (d director) stop(ctx context.Context) int {
	const patience = 30 * time.Second
	pid, stale := d.running()
	if stale {
		_ = os.Remove(d.pidFile) // if it can't be, it stays stale
	}
	if pid == 0 {
		return 0
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
		return d.code(fmt.Errorf("process %d: %w", pid, err))
	}
	late := time.After(patience)
	for tick := time.Tick(20 * time.Millisecond); syscall.Kill(pid, 0) == nil; {
		select {
		case <-tick:
		case <-late:
			return d.code(fmt.Errorf("process %d is still there after %s", pid, patience))
		case <-ctx.Done():
			return d.code(ctx.Err())
		}
	}
	return 0
}

func (d director) restart(ctx context.Context) int {
	if !d.valid() {
		return ldirectordConfig // what runs goes on
	}
	if code := d.stop(ctx); code != 0 {
		return code
	}
	return d.start(ctx)
}

func (d director) tryRestart(ctx context.Context) int {
	if pid, _ := d.running(); pid == 0 {
		return 0
	}
	return d.restart(ctx)
}

func (d director) reload(context.Context) int {
	pid, _ := d.running()
	switch {
	case pid == 0:
		return ldirectordFailed
	case !d.valid():
		return ldirectordConfig
	}
	return d.code(syscall.Kill(pid, syscall.SIGHUP))
}
