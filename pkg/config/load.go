package config

// Load reads a configuration. The name is what the diagnostics call the file; nothing is opened. The Config is nil when
// Diagnostics.Err is not; with warnings alone it can be used.
func Load(name string, source []byte) (*Config, Diagnostics) {
	text := withoutMark(source)
	r := &report{lines: newLines(name, text)}
	tree := parse(text, r)
	if tree == nil {
		return nil, r.found
	}
	global, virtuals := decoder{r}.root(tree, locate(text))
	c := resolve(r, global, virtuals)
	found := r.found.arrange()
	if found.Count(Error) > 0 {
		return nil, found
	}
	return c, found
}
