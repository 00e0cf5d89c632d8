package script

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrInsecure is wrapped by the reason why root does not run a program that others could exchange.
var ErrInsecure = errors.New("insecure")

// inspect returns why a program must not, or can't, be run by an account.
func inspect(program string, as account) error {
	if !filepath.IsAbs(program) {
		return fmt.Errorf("%s is no absolute path", program)
	}
	switch info, err := os.Stat(program); {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: %w", program, fs.ErrNotExist)
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is no file", program)
	case info.Mode()&0o111 == 0:
		return fmt.Errorf("%s is not executable: chmod +x it", program)
	}
	if as.uid != 0 {
		return nil // what its program does with its own rights is that user's business
	}
	return secure(program)
}

// secure returns an error if anybody but root could exchange the program: each directory on the way, each symbolic link and
// the file itself has to be root's, and writable by root alone.
func secure(program string) error {
	const links = 40 // as many as the kernel follows
	seen, at := 0, "/"
	rest := strings.Split(program, "/")
	if err := rootsOwn(at); err != nil {
		return err
	}
	for len(rest) > 0 {
		name := rest[0]
		rest = rest[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			at = filepath.Dir(at)
			continue
		}
		next := filepath.Join(at, name)
		if err := rootsOwn(next); err != nil {
			return err
		}
		target, err := os.Readlink(next)
		if err != nil { // no link
			at = next
			continue
		}
		if seen++; seen > links {
			return fmt.Errorf("%s: %w", program, unix.ELOOP)
		}
		if filepath.IsAbs(target) {
			at = "/"
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return nil
}

// rootsOwn returns an error if somebody else than root can write to a file, or to a directory unless it is sticky: there
// nobody can exchange what is another's.
func rootsOwn(path string) error {
	var s unix.Stat_t
	if err := unix.Lstat(path, &s); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	const groupWrites, othersWrite = 0o020, 0o002
	sticky := s.Mode&unix.S_IFMT == unix.S_IFDIR && s.Mode&unix.S_ISVTX != 0
	link := s.Mode&unix.S_IFMT == unix.S_IFLNK // its mode says nothing
	switch {
	case s.Uid != 0:
		return fmt.Errorf("%w: root would run what user %d can exchange: %s is not root's", ErrInsecure, s.Uid, path)
	case sticky || link:
	case s.Mode&othersWrite != 0:
		return fmt.Errorf("%w: root would run what anybody can exchange: chmod o-w %s", ErrInsecure, path)
	case s.Mode&groupWrites != 0 && s.Gid != 0:
		return fmt.Errorf("%w: root would run what the group %d can exchange: chmod g-w %s", ErrInsecure, s.Gid, path)
	case s.Mode&groupWrites != 0 && hasACL(path):
		return fmt.Errorf("%w: root would run what others in its ACL may be able to exchange: setfacl -b %s", ErrInsecure, path)
	}
	return nil
}

// hasACL says whether a file has an access control list (acl(5)). With one, the mode's bits of the group are the most that
// anybody named in the list can do.
func hasACL(path string) bool {
	n, err := unix.Lgetxattr(path, "system.posix_acl_access", nil)
	return err == nil && n > 0
}
