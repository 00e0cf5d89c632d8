package health

import "time"

// Finding is what a probe learned of a server besides whether it passed.
type Finding struct {
	Advice  Advice
	Warning string // what is about to become a failure: "the certificate ends on 2026-12-01"
}

// Advice is what a server, or a script on its behalf, says about its weight.
type Advice struct {
	Kind  AdviceKind
	Value int32
}

// AdviceKind is how the value of an Advice counts.
type AdviceKind uint8

// The kinds of advice. A later result without advice takes an earlier one back.
const (
	NoAdvice AdviceKind = iota
	Weigh               // the weight is Value instead of the configured one
	Percent             // the weight is so much of the configured one, rounded up
	Add                 // Value is added to the weight
)

// Result is how a probe ended.
type Result struct {
	Err  string        // why it failed; empty: it passed
	Took time.Duration // from its start to its end
	Finding
}
