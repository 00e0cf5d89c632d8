package keepalived

import (
	"testing"

	"github.com/ipvsd/ipvsd/pkg/config/document"
)

// An empty file is an empty document.
func TestTranslateNothing(t *testing.T) {
	if d := Translate("keepalived.conf", nil, nil, document.Settings{}); d.Text != "" || d.Found != nil {
		t.Errorf("got %q, %v", d.Text, d.Found)
	}
}
