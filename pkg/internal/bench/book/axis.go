package book

import (
	"math"
	"slices"
)

// axis turns numbers into places between 0 and 1.
type axis struct {
	from, to float64
	decades  bool // every power of ten takes the same room
}

// wide is the ratio of numbers from which on the small ones could not be told apart on an axis that begins at 0.
const wide = 30

// newAxis returns an axis for these numbers, none of which is below 0.
func newAxis(numbers []float64) axis {
	var positive []float64
	for _, v := range numbers {
		if v > 0 {
			positive = append(positive, v)
		}
	}
	if len(positive) == 0 {
		return axis{to: 1}
	}
	least, most := slices.Min(positive), slices.Max(positive)
	if most/least >= wide {
		return axis{from: math.Pow(10, math.Floor(math.Log10(least)+1e-9)), to: math.Pow(10, math.Ceil(math.Log10(most)-1e-9)), decades: true}
	}
	step := stepTo(most)
	return axis{to: math.Ceil(most/step-1e-9) * step}
}

// stepTo returns 1, 2 or 5 times a power of ten, of which there are at most five to a number.
func stepTo(most float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(most/5)))
	for _, times := range []float64{1, 2, 5} {
		if most/(unit*times) <= 5 {
			return unit * times
		}
	}
	return unit * 10
}

func (a axis) at(v float64) float64 {
	if !a.decades {
		return v / a.to
	}
	return math.Log10(max(v, a.from)/a.from) / math.Log10(a.to/a.from)
}

// marks are the numbers that are written at the axis.
func (a axis) marks() (list []float64) {
	if a.decades {
		for exponent := math.Round(math.Log10(a.from)); exponent <= math.Round(math.Log10(a.to)); exponent++ {
			list = append(list, math.Pow(10, exponent))
		}
		return list
	}
	step := stepTo(a.to)
	for n := 0.0; n*step <= a.to*1.0001; n++ {
		list = append(list, n*step)
	}
	return list
}
