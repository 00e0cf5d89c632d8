package health

import "math"

// Advised returns the weight of a server for which this one is configured, after what its checks advise: each adds to it, or
// takes from it, by what its own advice differs from the configured one. It is never less than 0. So keepalived adds up the
// weights of several misc_dynamic.
func Advised(configured int32, advice ...Advice) int32 {
	weight := int64(configured)
	for _, a := range advice {
		weight += a.over(int64(configured))
	}
	return int32(min(max(weight, 0), math.MaxInt32))
}

// over returns what the advice adds to the configured weight.
func (a Advice) over(configured int64) int64 {
	value := int64(a.Value)
	switch a.Kind {
	case NoAdvice:
	case Weigh:
		return value - configured
	case Percent:
		return (configured*value+99)/100 - configured
	case Add:
		return value
	}
	return 0
}
