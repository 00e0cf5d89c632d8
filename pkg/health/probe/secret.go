package probe

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// secretLimit is how long a secret may be, in bytes.
const secretLimit = 4096

// reveal returns the secret itself. Errors say where it is, not what it is.
func reveal(s health.Secret) (string, error) {
	if s.File == "" {
		return s.Text, nil
	}
	file, err := os.OpenFile(s.File, os.O_RDONLY|syscall.O_NONBLOCK, 0) // doesn't wait for somebody to write to a pipe
	if err != nil {
		return "", fmt.Errorf("secret: %w", err)
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return "", fmt.Errorf("secret: %s is no regular file", s.File)
	}
	line, err := bufio.NewReader(io.LimitReader(file, secretLimit+1)).ReadString('\n')
	line = strings.TrimRight(line, "\r\n")
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return "", fmt.Errorf("secret: %w", err)
	case line == "":
		return "", fmt.Errorf("secret: the first line of %s is empty", s.File)
	case len(line) > secretLimit:
		return "", fmt.Errorf("secret: the first line of %s is longer than %d bytes", s.File, secretLimit)
	}
	return line, nil
}
