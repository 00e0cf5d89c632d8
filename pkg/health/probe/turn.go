package probe

import "context"

type turnKey struct{}

// WithTurn returns a context that has a probe check only one of the things that it has to check, counted from 0: of health.HTTP,
// one of the URLs. It is what health.Checker.Turn says.
func WithTurn(ctx context.Context, n int) context.Context {
	return context.WithValue(ctx, turnKey{}, n)
}

// turn returns which one of the things is to be checked, false if all are.
func turn(ctx context.Context) (n int, one bool) {
	n, one = ctx.Value(turnKey{}).(int)
	return n, one
}
