package health

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// ParseAdvice reads a weight as servers and scripts write it: "12" is the weight, "75%" is so much of the configured one.
func ParseAdvice(text string) (Advice, error) {
	digits, percent := strings.CutSuffix(strings.TrimSpace(text), "%")
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil || n > math.MaxInt32 {
		return Advice{}, fmt.Errorf("%.40q is no weight such as 12 or 75%%", text)
	}
	if percent {
		return Advice{Kind: Percent, Value: int32(n)}, nil
	}
	return Advice{Kind: Weigh, Value: int32(n)}, nil
}
