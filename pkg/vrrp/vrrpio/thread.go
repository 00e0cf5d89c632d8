package vrrpio

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Realtime is what the thread that sends adverts asks the kernel for. The zero value asks for nothing.
type Realtime struct {
	Priority int   // of SCHED_RR, 1 to 99; 0: it stays with SCHED_OTHER
	NoSwap   bool  // the memory of the process is locked, as far as it is used
	CPUs     []int // that it may run on; empty: any
	Nice     int   // with SCHED_OTHER
}

// Thread tells how the thread that sends adverts runs.
type Thread struct {
	Realtime     int // priority of SCHED_RR, as granted; 0: SCHED_OTHER
	MemoryLocked bool
	CPUs         []int    // that it is bound to; empty: to none
	Denied       []string // what was asked for and not granted, with the reason
}

// headroom is how many goroutines more than there are processors the runtime lets run at once. The thread comes back from the kernel
// as a goroutine without a turn; if all turns were taken by busy ones, it would wait for tens of milliseconds.
const headroom = 4

// ballast is memory that nobody touches, so it is not there. The garbage collector, which waits until the heap is bigger by half, comes
// every 17 MB instead of every megabyte. On one processor it keeps the thread waiting for 30 ms and more; at a failover, which
// makes garbage, that would be the time when adverts every 10 ms must not stop.
const ballast = 32 << 20

// apply locks the calling goroutine to its thread for ever, and gives that what it can. At the end, restore takes back what is not the
// thread's own.
func (r Realtime) apply(log *scribe) (t Thread, restore func()) {
	runtime.LockOSThread()
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + headroom)
	heavy := make([]byte, ballast)
	restore = func() {
		runtime.KeepAlive(heavy)
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) - headroom)
	}
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0) // in nanoseconds; a kernel that can't wakes it up 50 µs later

	granted := func(what string, err error) bool {
		if err != nil {
			t.Denied = append(t.Denied, fmt.Sprintf("%s: %v", what, err))
			log.warn("the thread that sends VRRP adverts does not get all that it should", "denied", what, "err", err)
		}
		return err == nil
	}
	if len(r.CPUs) > 0 && granted(fmt.Sprintf("vrrp_cpu_affinity %v", r.CPUs), bind(r.CPUs)) {
		t.CPUs = r.CPUs
	}
	if r.Nice != 0 {
		err := unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), r.Nice)
		granted(fmt.Sprintf("vrrp_priority %d", r.Nice), allowed(err, fmt.Sprintf("LimitNICE=%d", r.Nice)))
	}
	if r.Priority > 0 && granted(fmt.Sprintf("vrrp_rt_priority %d", r.Priority), preferred(r.Priority)) {
		t.Realtime = r.Priority
	}
	if r.NoSwap {
		t.MemoryLocked = granted("vrrp_no_swap", lockMemory())
	}
	return t, restore
}

func bind(cpus []int) error {
	var set unix.CPUSet
	for _, cpu := range cpus {
		set.Set(cpu)
	}
	return os.NewSyscallError("sched_setaffinity", unix.SchedSetaffinity(0, &set))
}

// preferred has the thread run by SCHED_RR, but not where there is only one processor. A goroutine that returns from the kernel spins
// for a moment if the garbage collector just looks at it. By SCHED_RR the collector's thread would not run in the meantime, until the kernel
// throttles what is real-time after most of a second.
func preferred(priority int) error {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(os.Getpid(), &set); err != nil {
		return os.NewSyscallError("sched_getaffinity", err)
	}
	if set.Count() < 2 {
		return fmt.Errorf("there is only one processor, where SCHED_RR makes adverts later instead of earlier")
	}
	attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_RR, Flags: unix.SCHED_FLAG_RESET_ON_FORK, Priority: uint32(priority)}
	return allowed(os.NewSyscallError("sched_setattr", unix.SchedSetAttr(0, &attr, 0)), fmt.Sprintf("LimitRTPRIO=%d", priority))
}

// allowed says of an error that is about rights to priorities which limit of systemd would give them.
func allowed(err error, limit string) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: set %s in ipvsd's unit, or give it CAP_SYS_NICE", err, limit)
	}
	return err
}

// lockMemory locks what is used of the process's memory, now and later. With a limit it would be the next allocation that ends the
// process, so there must be none.
func lockMemory() error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &limit); err != nil {
		return os.NewSyscallError("getrlimit", err)
	}
	var capable [2]unix.CapUserData
	if err := unix.Capget(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &capable[0]); err != nil {
		return os.NewSyscallError("capget", err)
	}
	if limit.Cur != unix.RLIM_INFINITY && capable[0].Effective&(1<<unix.CAP_IPC_LOCK) == 0 {
		return fmt.Errorf("RLIMIT_MEMLOCK is %d bytes: set LimitMEMLOCK=infinity in ipvsd's unit, or give it CAP_IPC_LOCK", limit.Cur)
	}
	return os.NewSyscallError("mlockall", unix.Mlockall(unix.MCL_CURRENT|unix.MCL_FUTURE|unix.MCL_ONFAULT))
}
