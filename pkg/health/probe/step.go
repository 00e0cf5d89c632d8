package probe

import (
	"context"
	"fmt"
	"time"
)

// Step is something that a probe did, or that a server answered.
type Step struct {
	At   time.Time `json:"at"`
	Text string    `json:"text"` // without secrets
}

type stepsKey struct{}

// WithSteps returns a context that has a probe tell its steps to a function, which is called from one goroutine at a time.
func WithSteps(ctx context.Context, tell func(Step)) context.Context {
	return context.WithValue(ctx, stepsKey{}, tell)
}

// step tells a step, if anybody wants to know.
func step(ctx context.Context, format string, args ...any) {
	if tell, wanted := ctx.Value(stepsKey{}).(func(Step)); wanted {
		tell(Step{At: time.Now(), Text: excerpt(fmt.Sprintf(format, args...), 500)})
	}
}

// traced says whether anybody wants to know steps, for those that cost something to put into words.
func traced(ctx context.Context) bool { return ctx.Value(stepsKey{}) != nil }
