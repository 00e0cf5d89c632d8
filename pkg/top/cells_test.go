package top_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rivo/uniseg"

	"github.com/ipvsd/ipvsd/pkg/status"
	"github.com/ipvsd/ipvsd/pkg/top"
)

// Columns stand below each other whatever the names are made of, and no line is wider than the screen, however narrow that is.
func TestWideCharacters(t *testing.T) {
	names := []string{"web", "東京サーバー", "cafe\u0301", "z\u0335a\u0336l\u0337go", "👍🏽", "a\x1b[2Jb", "ｗｉｄｅ-東京-サーバー-いちばん-長い-名前", "\u0301", "한국어"}
	s := web(noon.Add(2*time.Second), 3468)
	v := &s.Services[0]
	for i, name := range names {
		v.Servers = append(v.Servers, server(fmt.Sprintf("198.51.100.%d:80", 100+i), func(s *status.Server) { s.Name = name }))
	}
	s.RouterID = "東京の負荷分散装置"
	for width := 0; width < 140; width += 1 + width/20 {
		size := top.Size{Width: width, Height: 60}
		w := &view{t: t}
		w.send(size, top.Read{Snapshot: s})
		for range len(v.Servers) + 1 {
			w.press("down").text(size, false)
		}
		if width < 60 {
			continue
		}
		text := w.text(size, false)
		column := -1
		for line := range strings.Lines(text) {
			before, _, found := strings.Cut(line, " HEALTH ")
			if !found {
				if before, _, found = strings.Cut(line, " up "); !found || !strings.Contains(before, "198.51.100.1") {
					continue
				}
			}
			if n := uniseg.StringWidth(before); column >= 0 && n != column {
				t.Errorf("%d cells: health at %d, not at %d:\n%s", width, n, column, text)
			} else {
				column = n
			}
		}
		if column < 0 || width > 115 && (!strings.Contains(text, "東京サーバー") || !strings.Contains(text, "cafe\u0301")) {
			t.Errorf("%d cells:\n%s", width, text)
		}
	}
}
