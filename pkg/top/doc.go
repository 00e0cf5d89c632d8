// Package top is the live view of ipvsctl top: what is shown, and what keys do. A Model takes a Message and returns the next Model with
// what is to be done; View returns the lines of a screen. It knows no terminal and no daemon: cmd/ipvsctl has both, and the goroutines.
package top

import (
	"net/netip"
	"time"

	"github.com/ipvsd/ipvsd/pkg/event"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// Message is what happens to a Model: Key, Size, Read, Failed, Happened or Told.
type Message any

// The messages.
type (
	// Key is a key: "x", or a word such as "up", "enter", "esc", "ctrl+c".
	Key string
	// Size is how large the terminal is, in cells.
	Size struct{ Width, Height int }
	// Read is what the daemon has answered.
	Read struct{ Snapshot *status.Snapshot }
	// Failed is why it has not.
	Failed struct {
		Err error
		At  time.Time
	}
	// Happened is an event of the daemon.
	Happened struct{ Event event.Event }
	// Told is what came of an Order.
	Told struct {
		Text string
		Err  error
	}
)

// Action is what is to be done: Quit, Refresh or an Order.
type Action any

// The actions.
type (
	// Quit ends the view.
	Quit struct{}
	// Refresh asks the daemon now, rather than when it is due.
	Refresh struct{}
	// Order is a drain, or the end of one.
	Order struct {
		Drain   bool
		Server  string // address, with a port or of all
		Service string // name of a virtual server; empty: all
	}
)

// column is what can be sorted by.
type column uint8

const (
	byOrder column = iota // of the configuration
	byName
	byHealth
	byActive
	byConnections
	byBytes
	columns // how many there are
)

var columnNames = [columns]string{"configuration", "name", "health", "active", "conn/s", "bytes/s"}

// shape is which lines there are.
type shape uint8

const (
	tree     shape = iota // servers below their services
	services              // without servers
	servers               // of all services together
	shapes                // how many there are
)

// rowKey is what a row is about; without server it is a service.
type rowKey struct {
	service ipvs.ServiceKey
	server  netip.AddrPort
	sorry   bool
}

// Model is the state of the view. The zero value is before the first answer.
type Model struct {
	size     Size
	snapshot *status.Snapshot // nil: nobody has answered yet
	rates    map[rowKey]status.Rate
	failed   error // of the last try
	since    time.Time
	event    *event.Event // the latest

	shape   shape
	sort    column
	reverse bool
	filter  string
	typing  bool // the filter
	help    bool
	paused  bool

	at      rowKey // the row of the cursor
	index   int    // its place, if that row is gone
	first   int    // row on the screen
	asked   *Order // to be confirmed
	all     *Order // the same for all services, if that is something else
	message string // what came of the last one
	bad     bool   // it failed
}
