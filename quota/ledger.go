package quota

import "sync"

type kind uint8

const (
	connections kind = iota
	operations
	shells
	users // distinct owners of shells
	commands
)

// account is one line of the ledger. An empty key is the sum over all keys.
type account struct {
	kind   kind
	plugin string
	key    string
}

// charge is one thing to add to an account, with the limit that governs it.
type charge struct {
	account
	limit Limit
	max   uint32 // 0: counted, never refused
}

// Connection takes one connection from MaxConnections.
func (l *Ledger) Connection() (Release, error) {
	return l.acquire([]charge{{account{kind: connections}, MaxConnections, l.limits().MaxConnections}})
}

// Operation takes one operation of user from MaxConcurrentOperationsPerUser
// and, where plugin is not empty, from the quotas of that plug-in.
func (l *Ledger) Operation(user, plugin string) (Release, error) {
	cs := []charge{{account{operations, "", user}, MaxConcurrentOperationsPerUser,
		l.limits().MaxConcurrentOperationsPerUser}}
	if plugin != "" {
		p := l.plugin(plugin)
		cs = append(cs,
			charge{account{operations, plugin, ""}, MaxConcurrentOperations, p.MaxConcurrentOperations},
			charge{account{operations, plugin, user}, MaxConcurrentOperationsPerUser, p.MaxConcurrentOperationsPerUser})
	}
	return l.acquire(cs)
}

// Shell takes one shell of user from MaxShellsPerUser and MaxConcurrentUsers
// and, where plugin is not empty, from the quotas of that plug-in.
func (l *Ledger) Shell(user, plugin string) (Release, error) {
	n := l.limits()
	cs := []charge{
		{account{users, "", user}, MaxConcurrentUsers, n.MaxConcurrentUsers},
		{account{shells, "", user}, MaxShellsPerUser, n.MaxShellsPerUser},
	}
	if plugin != "" {
		p := l.plugin(plugin)
		cs = append(cs,
			charge{account{users, plugin, user}, MaxConcurrentUsers, p.MaxConcurrentUsers},
			charge{account{shells, plugin, user}, MaxShellsPerUser, p.MaxShellsPerUser},
			charge{account{shells, plugin, ""}, MaxShells, p.MaxShells})
	}
	return l.acquire(cs)
}

// Command takes one command of a shell from the plug-in's
// MaxConcurrentCommandsPerShell.
func (l *Ledger) Command(shellID, plugin string) (Release, error) {
	return l.acquire([]charge{{account{commands, plugin, shellID}, MaxConcurrentCommandsPerShell,
		l.plugin(plugin).MaxConcurrentCommandsPerShell}})
}

// CheckShell refuses a further operation on a shell that has reached
// MaxProcessesPerShell or gone over MaxMemoryPerShellMB (processes counted and
// bytes measured by the caller). See [MS-WSMV] 3.1.4.11.
func (l *Ledger) CheckShell(shellID string, processes int, memoryBytes uint64) error {
	n := l.limits()
	if n.MaxProcessesPerShell > 0 && processes >= 0 && uint64(processes) >= uint64(n.MaxProcessesPerShell) {
		return &ExceededError{Limit: MaxProcessesPerShell, Key: shellID,
			Max: uint64(n.MaxProcessesPerShell), Current: uint64(processes)}
	}
	if n.MaxMemoryPerShellMB > 0 && memoryBytes > uint64(n.MaxMemoryPerShellMB)<<20 {
		return &ExceededError{Limit: MaxMemoryPerShellMB, Key: shellID,
			Max: uint64(n.MaxMemoryPerShellMB), Current: memoryBytes >> 20}
	}
	return nil
}

// acquire takes all charges or none.
func (l *Ledger) acquire(cs []charge) (Release, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range cs {
		if e := l.refuse(c); e != nil {
			return nil, e
		}
	}
	for _, c := range cs {
		l.add(c.account)
	}
	var once sync.Once
	return func() { once.Do(func() { l.giveBack(cs) }) }, nil
}

// refuse returns the error for a charge that does not fit, or nil.
func (l *Ledger) refuse(c charge) *ExceededError {
	if c.max == 0 {
		return nil
	}
	key, current := c.key, l.counts[c.account]
	if c.kind == users {
		if current > 0 {
			return nil // this user is counted already
		}
		key, current = "", l.counts[account{users, c.plugin, ""}]
	}
	if current < c.max {
		return nil
	}
	return &ExceededError{Limit: c.limit, Plugin: c.plugin, Key: key, Max: uint64(c.max), Current: uint64(current)}
}

func (l *Ledger) add(a account) {
	l.counts[a]++
	if a.kind == users && l.counts[a] == 1 {
		l.counts[account{users, a.plugin, ""}]++
	}
}

func (l *Ledger) giveBack(cs []charge) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range cs {
		l.subtract(c.account)
		if c.kind == users && l.counts[c.account] == 0 {
			l.subtract(account{users, c.plugin, ""})
		}
	}
}

func (l *Ledger) subtract(a account) {
	if l.counts[a]--; l.counts[a] == 0 {
		delete(l.counts, a)
	}
}

// Usage is what is in use now, for `winrm enumerate` and metrics.
type Usage struct {
	Connections uint32
	Operations  uint32 // in progress
	Shells      uint32
	ShellUsers  uint32 // distinct users that own a shell
}

// Usage returns the service-wide counts.
func (l *Ledger) Usage() Usage {
	l.mu.Lock()
	defer l.mu.Unlock()
	u := Usage{
		Connections: l.counts[account{kind: connections}],
		ShellUsers:  l.counts[account{kind: users}],
	}
	for a, n := range l.counts {
		switch {
		case a.plugin != "" || a.key == "":
		case a.kind == operations:
			u.Operations += n
		case a.kind == shells:
			u.Shells += n
		}
	}
	return u
}

// Operations returns how many operations user has in progress.
func (l *Ledger) Operations(user string) uint32 { return l.count(account{operations, "", user}) }

// Shells returns how many shells user owns.
func (l *Ledger) Shells(user string) uint32 { return l.count(account{shells, "", user}) }

func (l *Ledger) count(a account) uint32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.counts[a]
}
