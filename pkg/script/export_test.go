package script

// Asked returns how many questions of a plug-in have no answer yet.
func (p *Plugins) Asked(c Command) int {
	a, err := p.of(c)
	if err != nil {
		return 0
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.asked)
}
