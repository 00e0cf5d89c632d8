package outbox

import (
	"fmt"
	"io"
	"os"
	"syscall"
)

// longest is how many bytes of a file are read. Certificates of all authorities are a quarter of it.
const longest = 1 << 20

// ReadFile returns a file that a delivery needs, such as a secret. It has to be a regular one: a pipe to which nobody writes would hold
// up the delivery, and with it the end of the daemon.
func ReadFile(name string) ([]byte, error) {
	file, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // the other end of a pipe need not be there
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file", name)
	case info.Size() > longest:
		return nil, fmt.Errorf("%s is longer than a megabyte", name)
	}
	return io.ReadAll(io.LimitReader(file, longest))
}
