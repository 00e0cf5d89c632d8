package ipvstest

import "github.com/ipvsd/ipvsd/pkg/ipvs"

// faults are what a Kernel was told to do wrong.
type faults struct {
	countdown map[int]fault // by the number of commands still to come before it
	refuse    func(ipvs.Command) ipvs.Errno
	snapshots []error
}

// fault is what goes wrong with one command.
type fault struct {
	errno      ipvs.Errno
	lost, done bool
}

// SetLoaded says whether the kernel has the module ip_vs. Taking it away empties the table and
// makes all settings what they were at boot.
func (k *Kernel) SetLoaded(loaded bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.missing = !loaded
	if !loaded {
		k.services, k.timeouts = nil, ipvs.Timeouts{}
		k.settings.master, k.settings.backup, k.settings.sysctls = ipvs.SyncDaemon{}, ipvs.SyncDaemon{}, nil
	}
}

// RefuseAt has one command refused: the one after n others, counted over all calls of Apply from now on.
func (k *Kernel) RefuseAt(n int, errno ipvs.Errno) { k.setFault(n, fault{errno: errno}) }

// LoseReplyAt has Apply end with an unknown outcome at the command after n others, counted from now on. Whether the
// kernel did that command is up to done; it does none of those after it.
func (k *Kernel) LoseReplyAt(n int, done bool) { k.setFault(n, fault{lost: true, done: done}) }

func (k *Kernel) setFault(n int, f fault) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.faults.countdown == nil {
		k.faults.countdown = map[int]fault{}
	}
	k.faults.countdown[n] = f
}

// Refuse has f decide on every command before the kernel's own rules do: 0 lets it pass. f must not call the Kernel.
// Nil ends it.
func (k *Kernel) Refuse(f func(ipvs.Command) ipvs.Errno) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.faults.refuse = f
}

// InterruptSnapshots has the next n snapshots fail, as if somebody changed the table whenever it is read.
func (k *Kernel) InterruptSnapshots(n int) {
	for range n {
		k.FailSnapshot(errInterrupted)
	}
}

// FailSnapshot has the next snapshot that isn't to fail yet fail with err.
func (k *Kernel) FailSnapshot(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.faults.snapshots = append(k.faults.snapshots, err)
}

// snapshot returns the error that the snapshot being taken is to fail with.
func (f *faults) snapshot() error {
	if len(f.snapshots) == 0 {
		return nil
	}
	err := f.snapshots[0]
	f.snapshots = f.snapshots[1:]
	return err
}

// command returns what is to go wrong with the next command.
func (f *faults) command(c ipvs.Command) fault {
	now := f.countdown[0]
	if len(f.countdown) > 0 {
		next := make(map[int]fault, len(f.countdown))
		for n, later := range f.countdown {
			if n > 0 {
				next[n-1] = later
			}
		}
		f.countdown = next
	}
	if now == (fault{}) && f.refuse != nil {
		now.errno = f.refuse(c)
	}
	return now
}
