package shell

import "os/user"

// ValidUserName reports whether name can be looked up at all.
func ValidUserName(name string) bool { return name != "" }

// LookupIdentity resolves a user by name. There are no numeric ids here.
func LookupIdentity(name string) (Identity, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return Identity{}, err
	}
	return Identity{UnixUser: u.Username, Home: u.HomeDir}, nil
}

// Current returns the identity of this process's user.
func Current() (Identity, error) {
	u, err := user.Current()
	if err != nil {
		return Identity{}, err
	}
	return Identity{UnixUser: u.Username, Home: u.HomeDir}, nil
}
