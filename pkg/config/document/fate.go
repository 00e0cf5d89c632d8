package document

import "cmp"

// Fate is what becomes of a keyword of a foreign dialect.
type Fate uint8

// The fates.
const (
	Honoured Fate = iota // it means what it means to the other tool
	Mapped               // it is written in another way, or means a little less or more; the remark says how
	Idle                 // it is accepted and has nothing to act on here; a note says why
	Refused              // it can't be had; an error says what to write instead
)

func (f Fate) String() string { return [...]string{"honoured", "mapped", "idle", "refused"}[f] }

// MarshalText makes a fate a JSON string.
func (f Fate) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// KeywordFate is a row of a dialect's table of keywords.
type KeywordFate struct {
	Scope  string `json:"scope"` // the block that it stands in; empty for the top of a file
	Name   string `json:"name"`
	Fate   Fate   `json:"fate"`
	Remark string `json:"remark,omitempty"` // what it becomes, or why nothing
}

// Compare orders rows by scope and name.
func (k KeywordFate) Compare(other KeywordFate) int {
	return cmp.Or(cmp.Compare(k.Scope, other.Scope), cmp.Compare(k.Name, other.Name))
}
