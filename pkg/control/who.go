package control

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"os"
	"os/user"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Role is what a client may.
type Role string

// The roles. Who may operate may read.
const (
	Read    Role = "read"    // sees everything
	Operate Role = "operate" // changes things, too
)

// may says whether the role is enough where another one is needed.
func (r Role) may(needed Role) bool { return r == Operate || r == needed && r == Read }

// How clients show who they are.
const (
	BySocket      = "socket"      // that they may open it
	ByCertificate = "certificate" // by TLS
	ByToken       = "token"       // a secret
	ByNothing     = "nothing"     // which is enough on a loopback address that is open
)

// Who is who asks.
type Who struct {
	By      string `json:"by"`                // one of the words above
	Name    string `json:"name,omitempty"`    // of the user on the socket, of the token, or in the certificate
	UID     *int64 `json:"uid,omitempty"`     // on the socket
	Login   string `json:"login,omitempty"`   // who has logged in, and is that user by way of sudo or su; empty: nobody, or it is not known
	Address string `json:"address,omitempty"` // of a client by TCP
	Role    Role   `json:"role"`
}

// String is "root" on the socket, "token dashboard" or "certificate lb2" by TCP.
func (w Who) String() string {
	if w.By == BySocket {
		return cmp.Or(w.Name, "somebody")
	}
	return strings.TrimSpace(w.By + " " + w.Name)
}

// whoKey is the context's key of a Who; peer that of what is known of a connection to the socket, a peerOf.
type (
	whoKey struct{}
	peer   struct{}
)

// peerOf is who has opened a connection to the socket.
type peerOf struct{ uid, login uint32 }

// nobody is the login of who has not logged in: audit_get_loginuid(3).
const nobody = ^uint32(0)

// WhoOf returns who asks in a request to the server. It may look up names in a directory.
func WhoOf(ctx context.Context) Who {
	if w, known := ctx.Value(whoKey{}).(Who); known {
		return w
	}
	return ofSocket(ctx)
}

// roleOf returns the role of who asks, without looking up anything.
func roleOf(ctx context.Context) Role {
	if w, known := ctx.Value(whoKey{}).(Who); known {
		return w.Role
	}
	return Operate
}

// onSocket says whether who asks does so on the control socket.
func onSocket(ctx context.Context) bool {
	w, known := ctx.Value(whoKey{}).(Who)
	return !known || w.By == BySocket
}

// withPeer notes who has opened a connection. Names are for later: they may take a directory's time, and connections wait to be accepted.
func withPeer(ctx context.Context, c net.Conn) context.Context {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return ctx
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return ctx
	}
	var cred *unix.Ucred
	var e error
	if err := raw.Control(func(fd uintptr) { cred, e = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); err != nil || e != nil {
		return ctx
	}
	p := peerOf{cred.Uid, nobody}
	if text, err := os.ReadFile("/proc/" + strconv.Itoa(int(cred.Pid)) + "/loginuid"); err == nil {
		if n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 32); err == nil {
			p.login = uint32(n)
		}
	}
	return context.WithValue(ctx, peer{}, p)
}

// ofSocket returns who asks on the socket. Who can open it may do everything: the file's mode has decided.
func ofSocket(ctx context.Context) Who {
	w := Who{By: BySocket, Role: Operate}
	p, known := ctx.Value(peer{}).(peerOf)
	if !known {
		return w
	}
	uid := int64(p.uid)
	w.UID, w.Name = &uid, userName(p.uid)
	if p.login != nobody && p.login != p.uid {
		w.Login = userName(p.login)
	}
	return w
}

// whoRoute tells clients who they are here.
var whoRoute = Route{
	Name: "whoami", Method: http.MethodGet, Path: mainPath + "whoami", Role: Read, Answer: Who{},
	Summary: "Who asks, and what they may",
	serve:   http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { reply(w, http.StatusOK, WhoOf(r.Context()), nil) }),
}

// userName returns the name of a user, "uid 1000" if there is none.
func userName(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	u, err := user.LookupId(id)
	if err != nil {
		return "uid " + id
	}
	return u.Username
}
