package control

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// blanks are without end.
type blanks struct{}

func (blanks) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// An answer that has no end is given up.
func TestEndlessAnswer(t *testing.T) {
	t.Parallel()
	body := io.LimitReader(blanks{}, 2<<20)
	_, err := decodeWithin[struct{}](&Client{path: "lb2"}, &http.Response{Body: io.NopCloser(body)}, 1<<20)
	if err == nil || !strings.Contains(err.Error(), "lb2: the answer has more than 1 MB") {
		t.Errorf("%v", err)
	}
}
