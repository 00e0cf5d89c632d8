package daemon

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/ipvsd/ipvsd/pkg/config"
	"github.com/ipvsd/ipvsd/pkg/control"
	"github.com/ipvsd/ipvsd/pkg/status"
)

// How much is kept: so many configurations, and no more than so many bytes of them, but these few in any case.
const (
	mostRevisions     = 50
	leastRevisions    = 3
	mostRevisionBytes = 64 << 20
)

// archive keeps the configurations that were taken, for root only: there are secrets in them. Each has a directory that is named by its
// number, with the text in "config", so that it can be had without a daemon, and all the rest in revision.json. Who holds reloads has it.
type archive struct {
	dir  string
	list []status.Revision // the oldest first; the last is in force
	err  error             // why the last could not be kept
}

// kept is the content of revision.json.
type kept struct {
	status.Revision
	ConfigID string              `json:"config_id,omitempty"`
	Texts    map[string][]byte   `json:"texts,omitempty"`
	Globs    map[string][]string `json:"globs,omitempty"`
}

// openArchive returns what is kept in a directory, which need not be there. What can't be read is left alone.
func openArchive(dir string) (*archive, error) {
	a := &archive{dir: dir}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return a, nil
	}
	for _, e := range entries {
		n, notNumber := strconv.Atoi(e.Name())
		if notNumber != nil || n <= 0 {
			continue
		}
		k, wrong := a.read(n)
		if wrong != nil {
			err = errors.Join(err, wrong)
			continue
		}
		a.list = append(a.list, k.Revision)
	}
	slices.SortFunc(a.list, func(x, y status.Revision) int { return x.Number - y.Number })
	return a, err
}

func (a *archive) place(n int) string { return filepath.Join(a.dir, strconv.Itoa(n)) }

func (a *archive) read(n int) (k kept, err error) {
	name := filepath.Join(a.place(n), "revision.json")
	text, err := os.ReadFile(name)
	if err == nil {
		err = json.Unmarshal(text, &k)
	}
	if err == nil && k.Number != n {
		err = fmt.Errorf("it says that it is number %d", k.Number)
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return k, err
}

// revision returns one that is kept.
func (a *archive) revision(n int) (*status.Revision, error) {
	if i := slices.IndexFunc(a.list, func(r status.Revision) bool { return r.Number == n }); i >= 0 {
		return &a.list[i], nil
	}
	if len(a.list) == 0 {
		return nil, errors.New("the history is empty")
	}
	return nil, fmt.Errorf("there is no configuration %d in the history: it has %d to %d", n, a.list[0].Number, a.current())
}

// current is the number of the configuration in force; 0: it is not kept.
func (a *archive) current() int {
	if a.err != nil || len(a.list) == 0 {
		return 0
	}
	return a.list[len(a.list)-1].Number
}

// former is the number of the configuration before the one in force that says something else; 0: there is none.
func (a *archive) former() int {
	for _, v := range slices.Backward(a.list) {
		if v.Hash != a.list[len(a.list)-1].Hash {
			return v.Number
		}
	}
	return 0
}

// file returns a configuration with what it included, called name.
func (a *archive) file(n int, name string) (*control.File, error) {
	r, err := a.revision(n)
	if err != nil {
		return nil, err
	}
	k, err := a.read(n)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(a.place(n), "config"))
	if err != nil {
		return nil, err
	}
	f := &control.File{Name: name, Text: text, ConfigID: k.ConfigID, Texts: k.Texts, Globs: k.Globs}
	if hashOf(f) != r.Hash {
		return nil, fmt.Errorf("configuration %d of the history was changed in %s: it is not what was taken", n, a.place(n))
	}
	return f, nil
}

// add keeps a configuration, as the newest. What says the same as the one in force is no news, unless somebody asked for it.
func (a *archive) add(r status.Revision, f *control.File, cfg *config.Config, spare ...int) (err error) {
	r.Hash, r.Bytes, r.Includes = hashOf(f), len(f.Text), slices.Sorted(maps.Keys(f.Texts))
	r.Services, r.Routers = len(cfg.VirtualServers), len(cfg.VRRP.Instances)
	for _, text := range f.Texts {
		r.Bytes += len(text)
	}
	if last := len(a.list) - 1; last >= 0 {
		if same := a.list[last].Hash == r.Hash && a.err == nil; same && (r.Why == status.AtStart || r.Why == status.ByReload) {
			return nil
		}
		r.Number = a.list[last].Number
	}
	r.Number++
	defer func() { a.err = err }()
	text, err := json.Marshal(kept{r, f.ConfigID, f.Texts, f.Globs})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(a.dir, 0o700); err != nil {
		return err
	}
	fresh := filepath.Join(a.dir, "new") // one name: what a crash leaves behind is overwritten
	if err := errors.Join(os.RemoveAll(fresh), os.RemoveAll(a.place(r.Number)), os.Mkdir(fresh, 0o700)); err != nil {
		return err
	}
	err = errors.Join(writeSynced(filepath.Join(fresh, "config"), f.Text), writeSynced(filepath.Join(fresh, "revision.json"), text), syncDir(fresh))
	if err == nil {
		err = os.Rename(fresh, a.place(r.Number))
	}
	if err == nil { // what waits for a confirmation names it: it must be there after a loss of power, too
		err = errors.Join(syncDir(a.dir), syncDir(filepath.Dir(a.dir)))
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(fresh))
	}
	a.list = append(a.list, r)
	a.prune(spare)
	return nil
}

// drop takes back the newest: it was not taken after all.
func (a *archive) drop() error {
	last := len(a.list) - 1
	n := a.list[last].Number
	a.list = a.list[:last]
	return os.RemoveAll(a.place(n))
}

// prune removes the oldest when there are too many, but for those that are still needed.
func (a *archive) prune(spare []int) {
	bytes := 0
	for i := range a.list {
		bytes += a.list[i].Bytes
	}
	for i := 0; i < len(a.list)-leastRevisions && (len(a.list) > mostRevisions || bytes > mostRevisionBytes); {
		r := a.list[i]
		if slices.Contains(spare, r.Number) || os.RemoveAll(a.place(r.Number)) != nil { // it is tried again with the next
			i++
			continue
		}
		bytes -= r.Bytes
		a.list = slices.Delete(a.list, i, i+1)
	}
}

func hashOf(f *control.File) string {
	h := sha256.New()
	part := func(name string, text []byte) { fmt.Fprintf(h, "%d %s %d\n%s", len(name), name, len(text), text) }
	part("", f.Text)
	for _, name := range slices.Sorted(maps.Keys(f.Texts)) {
		part(name, f.Texts[name])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// writeSynced writes a new file for root alone.
func writeSynced(name string, text []byte) error {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	return errors.Join(err, file.Sync(), file.Close())
}
