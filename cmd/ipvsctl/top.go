package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/gdamore/tcell/v2"
	"github.com/spf13/cobra"

	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/event"
	"github.com/ipvsd/ipvsd/pkg/top"
)

const (
	// topPatience is how long an answer may take before the daemon counts as away.
	topPatience = 15 * time.Second
	// topShare is how much of the time the daemon may be asked: one part in so many. To read 10,000 services is work for it.
	topShare = 5
)

func topCommand(a *app) *cobra.Command {
	var interval time.Duration
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Watch services and servers on a terminal: connections and bytes a second, weights, health, drains",
		Long: `Watch services and servers on a terminal: connections and bytes a second, active connections, weights, health, drains, and above them
the virtual routers. Keys: ? tells them all; arrows move, / filters, s sorts, v shows services or servers alone, d drains the server of the
cursor and u ends its drain, after a question; q quits. It goes on when the daemon is restarted. Rates are reckoned from the kernel's counters,
to which it adds every 2 seconds; out rates are 0 under DR and TUN. NO_COLOR or --color never shows no colours: they say nothing that the
words don't. Without a terminal, ipvsctl list and ipvsctl rate tell the same.`,
		Args: files(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case interval < kernelPeriod:
				return fmt.Errorf("--interval %v: the kernel adds to its counters every %v only: %w", interval, kernelPeriod, errUsage)
			case !a.terminal():
				return fmt.Errorf("top is for a terminal: ipvsctl list and ipvsctl rate tell the same without one: %w", errUsage)
			}
			screen, err := tcell.NewScreen()
			if err == nil {
				err = screen.Init()
			}
			if err != nil {
				return fmt.Errorf("the terminal: %w (is TERM right?)", err)
			}
			return a.top(cmd.Context(), screen, interval)
		},
	}
	cmd.Flags().DurationVar(&interval, "interval", kernelPeriod, "`TIME` between two looks, from 2s; longer where a look takes long")
	return cmd
}

// top shows the view until the user or the context ends it. The screen is initialized, and finished in the end.
func (a *app) top(ctx context.Context, screen tcell.Screen, interval time.Duration) error {
	ctx, cancel := context.WithCancel(ctx)
	v := &viewer{screen: screen, client: a.client(), messages: make(chan top.Message), refresh: make(chan struct{}, 1)}
	v.start(func() { v.keys(ctx) })
	v.start(func() { v.read(ctx, interval) })
	v.start(func() { v.events(ctx) })
	defer v.tasks.Wait()
	defer screen.Fini() // which ends the keys
	defer cancel()
	width, height := screen.Size()
	model, _ := new(top.Model).Update(top.Size{Width: width, Height: height})
	for {
		draw(screen, model.View(), a.colors())
		var actions []top.Action
		select {
		case <-ctx.Done():
			return nil
		case m := <-v.messages:
			if _, resized := m.(top.Size); resized {
				screen.Sync()
			}
			model, actions = model.Update(m)
		}
		for _, action := range actions {
			switch do := action.(type) {
			case top.Quit:
				return nil
			case top.Refresh:
				v.ask()
			case top.Order:
				v.start(func() { v.order(ctx, do) })
			}
		}
	}
}

// viewer is what goes on around the view: each of its methods is a goroutine that sends messages.
type viewer struct {
	screen   tcell.Screen
	client   *control.Client
	messages chan top.Message
	refresh  chan struct{}
	tasks    sync.WaitGroup
}

// start starts a goroutine. Whoever has to read why it panics has a terminal in order.
func (v *viewer) start(do func()) {
	v.tasks.Go(func() {
		done := false
		defer func() {
			if !done {
				v.screen.Fini()
			}
		}()
		do()
		done = true
	})
}

func (v *viewer) send(ctx context.Context, m top.Message) {
	select {
	case v.messages <- m:
	case <-ctx.Done():
	}
}

// ask has the daemon be asked now.
func (v *viewer) ask() {
	select {
	case v.refresh <- struct{}{}:
	default:
	}
}

// keys sends keys and sizes until the screen is finished.
func (v *viewer) keys(ctx context.Context) {
	for {
		switch e := v.screen.PollEvent().(type) {
		case nil:
			return
		case *tcell.EventResize:
			width, height := e.Size()
			v.send(ctx, top.Size{Width: width, Height: height})
		case *tcell.EventKey:
			if k := keyOf(e); k != "" {
				v.send(ctx, k)
			}
		}
	}
}

// keyNames are the words for keys that are no characters.
var keyNames = map[tcell.Key]top.Key{
	tcell.KeyUp: "up", tcell.KeyDown: "down", tcell.KeyLeft: "left", tcell.KeyRight: "right", tcell.KeyPgUp: "pgup", tcell.KeyPgDn: "pgdown",
	tcell.KeyHome: "home", tcell.KeyEnd: "end", tcell.KeyEnter: "enter", tcell.KeyEscape: "esc", tcell.KeyTab: "tab", tcell.KeyF1: "f1",
	tcell.KeyBackspace: "backspace", tcell.KeyBackspace2: "backspace", tcell.KeyCtrlC: "ctrl+c", tcell.KeyCtrlU: "ctrl+u",
}

func keyOf(e *tcell.EventKey) top.Key {
	if e.Key() == tcell.KeyRune {
		return top.Key(e.Rune())
	}
	return keyNames[e.Key()]
}

// read asks the daemon for all that there is, again and again.
func (v *viewer) read(ctx context.Context, interval time.Duration) {
	for ctx.Err() == nil {
		start := time.Now()
		limited, cancel := context.WithTimeout(ctx, topPatience)
		s, err := v.client.Status(limited)
		cancel()
		if err != nil {
			v.send(ctx, top.Failed{Err: err, At: time.Now()})
		} else {
			v.send(ctx, top.Read{Snapshot: s})
		}
		select {
		case <-time.After(topPause(interval, time.Since(start), err)):
		case <-v.refresh:
		case <-ctx.Done():
		}
	}
}

// topPause is how long the daemon is left alone after a look that took so long. One that did not answer is looked for again soon: it may be
// back long before what a slow answer would earn it.
func topPause(interval, took time.Duration, err error) time.Duration {
	pause := max(interval, topShare*took)
	if err != nil {
		pause = max(interval, min(pause, topPatience))
	}
	return pause
}

// events sends the latest event, and those to come.
func (v *viewer) events(ctx context.Context) {
	one := 1
	q := event.Query{Follow: true, Last: &one}
	for ctx.Err() == nil {
		for item, err := range v.client.Events(ctx, q) {
			if err != nil {
				break
			}
			if item.Position.Epoch != "" {
				q.After, q.Last = item.Position, nil
			}
			if item.Event != nil {
				v.send(ctx, top.Happened{Event: *item.Event})
			}
		}
		select {
		case <-time.After(comeback):
		case <-ctx.Done():
		}
	}
}

// order drains a server or ends that, and tells what came of it.
func (v *viewer) order(ctx context.Context, o top.Order) {
	order, past := control.Order{Verb: control.Undrain, Server: o.Server, Service: o.Service}, "does not drain any more"
	if o.Drain {
		order.Verb, past = control.Drain, "drains"
	}
	s, err := v.client.Order(ctx, order)
	told := top.Told{Text: o.Server + " " + past, Err: err}
	if err == nil && len(s.Warnings) > 0 {
		told.Text += "; " + strings.Join(s.Warnings, "; ")
	}
	v.send(ctx, told)
}

// styles are how lines look, with and without colours.
var styles = map[bool]map[top.Style]tcell.Style{
	true: {
		top.Bold: tcell.StyleDefault.Bold(true), top.Dim: tcell.StyleDefault.Dim(true), top.Good: tcell.StyleDefault.Foreground(tcell.ColorGreen),
		top.Warn: tcell.StyleDefault.Foreground(tcell.ColorOlive), top.Bad: tcell.StyleDefault.Foreground(tcell.ColorMaroon),
	},
	false: {top.Bold: tcell.StyleDefault.Bold(true), top.Bad: tcell.StyleDefault.Bold(true)},
}

// draw puts lines onto the screen, which sends only what differs.
func draw(screen tcell.Screen, lines []top.Line, colors bool) {
	screen.Clear()
	for y, line := range lines {
		x := 0
		for _, span := range line.Spans {
			style := styles[colors][span.Style].Reverse(line.Selected)
			for cell := range top.Cells(span.Text) {
				runes := []rune(cell.Text)
				screen.SetContent(x, y, runes[0], runes[1:], style)
				x += cell.Width
			}
		}
	}
	screen.Show()
}
