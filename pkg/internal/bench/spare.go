package main

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// spare is how much computing time nobody else wants: a process counts as long as the machine has nothing better to do. What a
// program costs, with what the kernel does for it and with its servers, is what it leaves less. The kernel's accounts of processes
// are of no use for that in User Mode Linux: it looks every 10 ms who computes, and sees one that wakes up at multiples of that
// always or never.
type spare struct {
	counted *atomic.Uint64 // in memory that the process shares with us
	process *exec.Cmd
}

// newSpare begins to count. Nothing else may compute meanwhile.
func newSpare(b *bench) *spare {
	self, err := os.Executable()
	b.Must(err)
	fd, err := unix.MemfdCreate("spare", unix.MFD_CLOEXEC)
	b.Must(err)
	memory := os.NewFile(uintptr(fd), "spare")
	defer func() { _ = memory.Close() }()
	b.Must(memory.Truncate(int64(os.Getpagesize())))
	s := &spare{process: exec.Command(self, spareErrand)}
	s.counted, err = shared(fd)
	b.Must(err)
	s.process.ExtraFiles, s.process.Stderr = []*os.File{memory}, os.Stderr
	b.Must(s.process.Start())
	for s.counted.Load() == 0 {
		<-time.After(time.Millisecond)
	}
	return s
}

// rate returns how far the process counts in a second, looked at for so long.
func (s *spare) rate(length time.Duration) float64 {
	began, counted := time.Now(), s.counted.Load()
	<-time.After(length)
	return float64(s.counted.Load()-counted) / time.Since(began).Seconds()
}

// pause has the process leave the machine alone; resume has it go on.
func (s *spare) pause()  { _ = s.process.Process.Signal(syscall.SIGSTOP) }
func (s *spare) resume() { _ = s.process.Process.Signal(syscall.SIGCONT) }

// taken returns what part of the time others computed, of the rates when they did, and before and after that, when nobody did. The host around the
// lab may have been busy with something else: where that could be more than half of what is found, nothing is.
func taken(during, before, after float64) (part float64, err error) {
	alone := (before + after) / 2
	part = 1 - during/alone
	if doubt := math.Abs(before-after) / 2 / alone; part <= 2*doubt {
		return 0, fmt.Errorf("the machine was too restless to tell: %.1f %% of its time were taken, give or take %.1f", 100*part, 100*doubt)
	}
	return part, nil
}

func (s *spare) end() {
	_ = s.process.Process.Kill()
	_ = s.process.Wait()
}

// count is what the process does.
func count() error {
	runtime.LockOSThread()
	if err := unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_IDLE}, 0); err != nil {
		return fmt.Errorf("SCHED_IDLE: %w", err)
	}
	counted, err := shared(3)
	for err == nil {
		counted.Add(1)
	}
	return err
}

func shared(fd int) (*atomic.Uint64, error) {
	memory, err := unix.Mmap(fd, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	return (*atomic.Uint64)(unsafe.Pointer(&memory[0])), nil
}
