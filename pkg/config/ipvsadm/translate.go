package ipvsadm

import (
	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/config/document"
	"github.com/ipvsd/ipvsd/pkg/ipvs"
)

// Translate reads commands as Load does, into the text of a configuration.
func Translate(name string, source []byte, _ document.Host, _ document.Settings) *document.Document {
	r := read(name, source)
	w := new(document.Writer)
	w.Report(r.found)
	at := func(line int) document.Origin {
		return document.Origin{Position: config.Position{File: name, Line: line, Column: 1}, Width: 1}
	}
	if r.found.Err() == nil {
		w.Insert(at(1), string(config.Format(r.settings())))
		for _, s := range r.table() {
			one := config.Of(nil, ipvs.Settings{})
			one.VirtualServers = []*config.VirtualServer{s.virtual}
			w.Gap()
			w.Insert(at(s.line), string(config.Format(one)))
		}
	}
	return w.Document(name, map[string]string{name: string(source)})
}
