package doctor

// clock asks whether the time is right, as far as the kernel knows.
func clock(f *Facts, r *Report) {
	if f.Clock.Synchronised {
		return
	}
	found := Finding{
		ID: "clock", Severity: Warning, Where: "the system clock",
		What: "Nothing keeps the clock right: the kernel says that it is not synchronised.",
		Why:  "Certificates are not yet or no longer valid, adverts with a time in them are not believed, and nobody can read two directors' logs side by side.",
		Mend: []string{"timedatectl set-ntp true"},
		Then: "It may take a minute. In a container it is the host's matter.",
	}
	if !f.Clock.Systemd {
		found.Mend, found.Then = nil, "Install and start a time service such as chrony. "+found.Then
	}
	r.found(found)
}
