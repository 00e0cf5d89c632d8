package lab

import "net/netip"

const mariadbConf = `
[mariadbd]
user = mysql
datadir = DIR/data
socket = DIR/run/socket
pid-file = DIR/run/pid
port = 3306
bind-address = *
skip-name-resolve
skip-log-bin
performance_schema = OFF
innodb_buffer_pool_size = 6M
loose-innodb_buffer_pool_size_max = 8M
innodb_log_file_size = 4M
innodb_flush_log_at_trx_commit = 0
innodb_flush_method = nosync
key_buffer_size = 64K
aria_pagecache_buffer_size = 256K
ssl_cert = DIR/cert.pem
ssl_key = DIR/key.pem
`

const mariadbUsers = `
CREATE DATABASE IF NOT EXISTS lab;
CREATE TABLE IF NOT EXISTS lab.backend (name VARCHAR(20));
DELETE FROM lab.backend;
INSERT INTO lab.backend VALUES ('alive');
CREATE TABLE IF NOT EXISTS lab.empty (name VARCHAR(20));
CREATE USER IF NOT EXISTS '{login}'@'%' IDENTIFIED BY '{password}';
GRANT SELECT ON lab.* TO '{login}'@'%';
`

// NewMariaDB prepares a database server on port 3306 of a host, at the host's address. Login may read the database lab, which has
// a table backend with one row, and a table empty.
func NewMariaDB(h *Host, at netip.Addr) *Server {
	h.tb.Helper()
	conf := h.certificate(at)
	conf["my.cnf"] = mariadbConf
	conf["users.sql"] = withLogin(mariadbUsers)
	dir := h.files("", conf)
	h.Run("install", "-d", "-o", "mysql", dir+"/data", dir+"/run")
	h.Run("mariadb-install-db", "--defaults-file="+dir+"/my.cnf", "--skip-test-db", "--auth-root-authentication-method=normal")
	s := &Server{
		Host: h,
		Addr: netip.AddrPortFrom(at, 3306),
		CA:   dir + "/cert.pem",
		args: []string{"mariadbd", "--defaults-file=" + dir + "/my.cnf", "--init-file=" + dir + "/users.sql"},
	}
	s.ready = func() error { return s.listens(3306) }
	return s
}
