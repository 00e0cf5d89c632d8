package script

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// defaultUser runs the commands that name no user, as in keepalived.
const defaultUser = "keepalived_script"

// account is whose rights a command has.
type account struct {
	uid, gid uint32
	home     string
}

// accountOf returns the account of a user and group, as in Command.
func accountOf(name, group string) (account, error) {
	var a account
	u, err := userOf(name)
	if err != nil {
		return a, err
	}
	gid := u.Gid
	if group != "" {
		gid = group
		if g, err := user.LookupGroup(group); err == nil {
			gid = g.Gid
		}
	}
	a.home = cmp.Or(u.HomeDir, "/")
	if a.uid, err = number(u.Uid); err != nil {
		return a, fmt.Errorf("user %s: %w", name, err)
	}
	if a.gid, err = number(gid); err != nil {
		return a, fmt.Errorf("there is no group %s", group)
	}
	return a, nil
}

// userOf looks a user up.
func userOf(name string) (*user.User, error) {
	if name == "" {
		if os.Geteuid() == 0 {
			if u, err := user.Lookup(defaultUser); err == nil {
				return u, nil
			}
		}
		return self(), nil
	}
	u, err := user.Lookup(name)
	if err == nil {
		return u, nil
	}
	if _, notANumber := number(name); notANumber != nil {
		if errors.As(err, new(user.UnknownUserError)) {
			return nil, fmt.Errorf("there is no user %s", name)
		}
		return nil, fmt.Errorf("user %s: %w", name, err)
	}
	if u, err := user.LookupId(name); err == nil {
		return u, nil
	}
	return &user.User{Uid: name, Gid: name}, nil // the kernel needs no names
}

// self is who we are, be there an entry for it or not.
func self() *user.User {
	u := &user.User{Uid: strconv.Itoa(os.Geteuid()), Gid: strconv.Itoa(os.Getegid())}
	if entry, err := user.LookupId(u.Uid); err == nil {
		u.Username, u.HomeDir = entry.Username, entry.HomeDir
	}
	return u
}

func number(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err
}

// nameOf returns a command's user for a message.
func nameOf(c Command) string {
	u, err := userOf(c.User)
	if err != nil {
		return c.User
	}
	return cmp.Or(u.Username, u.Uid)
}

// credential returns what a child has to change to have these rights; nil: nothing.
func (a account) credential() *syscall.Credential {
	if a.uid == uint32(os.Geteuid()) && a.gid == uint32(os.Getegid()) {
		if groups, err := os.Getgroups(); a.uid != 0 || err == nil && len(groups) == 0 {
			return nil
		}
	}
	return &syscall.Credential{Uid: a.uid, Gid: a.gid}
}
