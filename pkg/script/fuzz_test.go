package script

import (
	"strconv"
	"strings"
	"testing"
)

// Whatever a plug-in says, an answer goes to whoever asked that question, as it is and once; all else is an error that fits into a log.
func FuzzTake(f *testing.F) {
	for _, line := range []string{"1 UP", "2 ", "2", "3 late", "4 never asked", "0 x", "-1 x", "+1 x", " 1 x", "18446744073709551616 x", "1\tx", ""} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		a := &answering{asked: map[uint64]chan string{1: make(chan string, 1), 2: make(chan string, 1)}, last: 3}
		one, two := a.asked[1], a.asked[2]
		err := a.take(line)
		digits, text, _ := strings.Cut(line, " ")
		n, wrong := strconv.Atoi(digits)
		if (err == nil) != (wrong == nil && n >= 1 && n <= 3 && digits[0] != '+') {
			t.Errorf("%q: %v", line, err)
		}
		if err != nil && len(err.Error()) > 1000 {
			t.Errorf("an error of %d bytes", len(err.Error()))
		}
		for number, to := range map[int]chan string{1: one, 2: two} {
			switch {
			case err != nil || number != n:
				if len(to) != 0 || a.asked[uint64(number)] != to {
					t.Errorf("%q answers question %d", line, number)
				}
			case len(to) != 1 || <-to != text || a.asked[uint64(number)] != nil:
				t.Errorf("%q does not answer question %d", line, number)
			}
		}
	})
}
