package settings

import (
	"github.com/casementhq/casement/registry"
)

// Reader is a registry snapshot with its policy; *registry.Tree is one.
type Reader interface {
	// Value returns the effective value of a name and where it comes from.
	Value(key, name string) (registry.Value, registry.Source, bool)
	// Keys returns the names of the keys below a key.
	Keys(key string) []string
}

// Registry keys of the configuration.
const (
	KeyWSMAN    = `HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\WSMAN`
	KeyPolicy   = `HKLM\SOFTWARE\Policies\Microsoft\Windows\WinRM`
	KeyCasement = `HKLM\SOFTWARE\Casement`
)

// NameValue is one property of a Put or Create body. Name is relative to the resource
// and may be a path with slashes (Auth/Basic). Nil is xsi:nil.
type NameValue struct {
	Name  string
	Value string
	Nil   bool
}

// Change is one step of a registry update: set Value, or delete the name, or delete the
// whole key.
type Change struct {
	Key       string
	Name      string
	Value     registry.Value
	Delete    bool
	DeleteKey bool
}

// Apply puts the changes into a transaction, in order.
func Apply(tx *registry.Tx, changes []Change) error {
	for _, c := range changes {
		var err error
		switch {
		case c.DeleteKey:
			err = tx.DeleteKey(c.Key)
		case c.Delete:
			err = tx.Delete(c.Key, c.Name)
		default:
			err = tx.Set(c.Key, c.Name, c.Value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Problem is a stored value that could not be used; what holds instead is the default,
// or for a filter its closed form.
type Problem struct {
	Setting string
	Key     string // registry key
	Name    string // registry value name
	Source  registry.Source
	Err     *Error // CodePolicyCorrupted or CodeConfigCorrupted
}

func problem(setting, key, name string, src registry.Source, format string, args ...any) Problem {
	code := CodeConfigCorrupted
	if src == registry.SourceGPO {
		code = CodePolicyCorrupted
	}
	return Problem{Setting: setting, Key: key, Name: name, Source: src, Err: fail(code, setting, format, args...)}
}
