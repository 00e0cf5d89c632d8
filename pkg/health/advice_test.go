package health

import "testing"

func TestParseAdvice(t *testing.T) {
	for text, want := range map[string]Advice{
		"12": {Weigh, 12}, "0": {Weigh, 0}, " 7\r\n": {Weigh, 7}, "75%": {Percent, 75}, "0%": {Percent, 0}, "200%": {Percent, 200},
		"2147483647": {Weigh, 2147483647},
	} {
		if got, err := ParseAdvice(text); got != want || err != nil {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "%", "-1", "+1", "1.5", "1 %", "2147483648", "99999999999999999999", "up", "50%%", "0x10"} {
		if got, err := ParseAdvice(text); err == nil {
			t.Errorf("%q: %v, no error", text, got)
		}
	}
}
