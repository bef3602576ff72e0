package settings

// Snapshot is the whole configuration at one moment. It is immutable.
type Snapshot struct {
	Reader    Reader // what it was read from
	Defaults  Defaults
	WinRM     *WinRM
	Listeners []Listener
	Plugins   []Plugin
	Security  SecurityTable
	// CertMappings are those of client certificates to local accounts.
	CertMappings []CertMapping
	// FilterTokens is false where LocalAccountTokenFilterPolicy gives local
	// administrators their full token over the network.
	FilterTokens bool
	NTLM         NTLM
	DCOM         *DCOM
	Callbacks    Callbacks
	Problems     []Problem
}

// LoadSnapshot reads everything.
func LoadSnapshot(r Reader) *Snapshot {
	s := &Snapshot{Reader: r, Defaults: LoadDefaults(r), FilterTokens: !LocalAccountTokenFilterPolicy(r)}
	note := func(p []Problem) { s.Problems = append(s.Problems, p...) }
	var p []Problem
	s.WinRM, p = Load(r, s.Defaults)
	note(p)
	s.Listeners, p = Listeners(r, s.WinRM)
	note(p)
	s.Plugins, p = Plugins(r)
	note(p)
	s.Security, p = LoadSecurity(r, s.Plugins)
	note(p)
	s.CertMappings, p = CertMappings(r)
	note(p)
	s.NTLM, p = LoadNTLM(r)
	note(p)
	s.DCOM, p = LoadDCOM(r)
	note(p)
	s.Callbacks, p = LoadCallbacks(r)
	note(p)
	return s
}
