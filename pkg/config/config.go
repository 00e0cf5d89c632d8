package config

import (
	"github.com/ipvsd/ipvsd/pkg/health"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// Config is a whole configuration: checked, defaults filled in, inheritance resolved. Nobody after Load validates again.
type Config struct {
	GlobalDefs     GlobalDefs
	VirtualServers []VirtualServer // in the order of the file
}

// GlobalDefs are the settings of global_defs that have an effect. The others are checked and reported as warnings.
type GlobalDefs struct {
	RouterID       string
	LVSFlushOnStop bool          // remove our services when the daemon stops
	LVSTimeouts    ipvs.Timeouts // of connection entries; zero fields keep the kernel's
}

// VirtualServer is one service and the servers it may send clients to.
type VirtualServer struct {
	Service     ipvs.Service
	RealServers []RealServer
	Position    Position // of its table's header
}

// RealServer is one server of a virtual server.
type RealServer struct {
	Destination      ipvs.Destination // with the weight it has when healthy
	InhibitOnFailure bool             // weight 0 while down, instead of removal
	Checks           []health.Check   // up while all of them are; without any it is always up
	Position         Position
}

// Position is a place in a configuration file. Line and Column count from 1; Column counts characters.
type Position struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}
