package lab

import (
	"net/netip"
	"path/filepath"
)

const postgresConf = `
data_directory = 'DIR/data'
hba_file = 'DIR/pg_hba.conf'
ident_file = 'DIR/pg_ident.conf'
listen_addresses = '*'
unix_socket_directories = ''
shared_buffers = 1MB
max_connections = 10
fsync = off
autovacuum = off
password_encryption = 'scram-sha-256'
`

const postgresUsers = `CREATE ROLE {login} LOGIN PASSWORD '{password}';
CREATE DATABASE lab OWNER {login};
`

// NewPostgreSQL prepares a database server on port 5432 of a host, at the host's address. Login has an empty database lab.
func NewPostgreSQL(h *Host, at netip.Addr) *Server {
	h.tb.Helper()
	dir := h.files("", map[string]string{
		"users.sql":       withLogin(postgresUsers),
		"postgresql.conf": postgresConf,
		"pg_hba.conf":     "host all all all scram-sha-256\n",
		"pg_ident.conf":   "",
	})
	programs, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil || len(programs) == 0 {
		h.tb.Fatalf("no PostgreSQL in /usr/lib/postgresql: scripts/install")
	}
	as := func(program string, args ...string) []string {
		return append([]string{"setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", programs[0] + "/" + program}, args...)
	}
	h.Run("install", "-d", "-o", "postgres", "-m", "700", dir+"/data")
	h.Run(as("initdb", "-D", dir+"/data", "--no-sync", "--no-instructions", "--locale=C", "--encoding=UTF8", "--auth=trust")...)
	single := append([]string{"sh", "-c", `"$@" < "$0"`, dir + "/users.sql"}, as("postgres", "--single", "-D", dir+"/data", "postgres")...)
	h.Run(single...)
	s := &Server{
		Host: h,
		Addr: netip.AddrPortFrom(at, 5432),
		args: as("postgres", "--config-file="+dir+"/postgresql.conf"),
	}
	s.ready = func() error { return s.logged("ready to accept connections") }
	return s
}
