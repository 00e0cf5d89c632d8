// Package table holds kernel tests of ipvsd and the table of IPVS: every kind of service, changes, imports, what others do to it.
package table
