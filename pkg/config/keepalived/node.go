// Package keepalived reads keepalived.conf, in the grammar and with the meanings of keepalived 2.2.7, and writes it as ipvsd's
// TOML (package document). Every keyword that keepalived knows is honoured, mapped, or refused with what to write instead; the
// table of keywords says which.
//
// The stages, a file each:
//
//	scan, include, condition, variable, sequence    text to words, as keepalived's own preprocessor does
//	tree                                            words to Nodes
//	keyword                                         the table: for each block its keywords, with their fate and how they are translated
//	global_..., service_..., check_...              IPVS: from global_defs to the checks
//	vrrp_..., track_..., static_...                 virtual routers, and what they depend on
//
// Nothing here opens a file, except through document.Host, or starts a goroutine.
package keepalived

import "github.com/ipvsd/ipvsd/pkg/config/document"

// Word is one word of a file, without its quotes.
type Word struct {
	Text   string
	Quoted bool
	At     document.Origin
}

// Node is a line of a file, after includes, conditions and variables: a keyword, what follows it, and its block.
type Node struct {
	Word           // the keyword
	Args    []Word // the words behind it on the line
	Block   []*Node
	Braces  bool     // it has a block, perhaps an empty one
	Before  []string // comments on the lines before it, without their marks
	Behind  string   // comment at the end of its line
	Trailer []string // comments in its block behind the last node

	keyword *keyword // nil: a line of a block without keywords
	scope   *scope   // of its block
}

// The fates of keywords.
const (
	Honoured = document.Honoured
	Mapped   = document.Mapped
	Idle     = document.Idle
	Refused  = document.Refused
)

// keyword is a row of the table: what a keyword of a block becomes.
type keyword struct {
	name   string
	fate   document.Fate
	remark string // for people: what it becomes, or why nothing; required unless honoured
	// translate writes what the node says; nil: nothing is written (and if the fate is Idle or Refused, the remark is told).
	translate func(t *translation, n *Node)
}

// scope is a kind of block: its name as users know it ("virtual_server", "real_server", "HTTP_GET", "" for the top of a file) and its keywords.
type scope struct {
	name     string
	keywords []keyword
}

// translation is one file on its way.
type translation struct {
	*document.Writer
	host      document.Host
	elsewhere bool // it need not be the host that the file is for
	root      []*Node
	open      *frame // the table that is being written
	// Who translates a part of the files keeps here what has to be known beyond one block: a field each.
	ipvs ipvs
	vrrp routers
}
