package ipmi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/casementhq/casement/internal/fileowner"
)

// FileName is the name of the list of devices in a state folder.
const FileName = "ipmi.json"

// LocalName is the name of the BMC of this machine.
const LocalName = "local"

// DefaultPort is where a BMC listens: ASF remote management, UDP. See [IPMI] 13.1.2.
const DefaultPort = 623

// What [IPMI] 13.20 and 22.30 allow, in bytes.
const (
	mostUser     = 16
	mostPassword = 20
)

// Device is one BMC of the list.
type Device struct {
	// Name is what it is called here, and in SystemName of its objects.
	Name string `json:"name"`
	// Host is its name or address; "" is the BMC of this machine, behind /dev/ipmi0.
	Host string `json:"host,omitempty"`
	// Port is its UDP port; 0 is DefaultPort.
	Port     int    `json:"port,omitempty"`
	User     string `json:"user,omitempty"`
	Password string `json:"password,omitempty"`
	// Privilege is what sessions may do, one of Privileges; "" is "administrator".
	Privilege string `json:"privilege,omitempty"`
	// Disabled keeps it in the list and leaves it alone.
	Disabled bool `json:"disabled,omitempty"`
}

// Privileges are the privilege levels of sessions, the least first: "user" reads sensors and the event log, "operator"
// sets thresholds, clears the log and lists users, too. See [IPMI] appendix G.
var Privileges = []string{"user", "operator", "administrator"}

// Local tells whether it is the BMC of this machine.
func (d Device) Local() bool { return d.Host == "" }

// Address is where the BMC is, for people.
func (d Device) Address() string {
	if d.Local() {
		return "this machine"
	}
	return net.JoinHostPort(d.Host, strconv.Itoa(d.port()))
}

func (d Device) port() int {
	if d.Port == 0 {
		return DefaultPort
	}
	return d.Port
}

// String leaves the password out.
func (d Device) String() string { return d.Name + " (" + d.Address() + ")" }

// GoString leaves the password out.
func (d Device) GoString() string { return d.String() }

// LogValue leaves the password out.
func (d Device) LogValue() slog.Value { return slog.StringValue(d.String()) }

// check tells what stands against keeping the device.
func (d Device) check() error {
	bad := func(r rune) bool { return r < ' ' || r == 0x7f }
	switch {
	case d.Name == "" || len(d.Name) > 64 || strings.ContainsAny(d.Name, `"\/:,`) || strings.ContainsFunc(d.Name, bad):
		return fmt.Errorf("the name %q cannot be used: it has 1 to 64 characters and no quotes, slashes, colons and commas", d.Name)
	case d.Local() != (d.Name == LocalName):
		return fmt.Errorf("the name %s belongs to the BMC of this machine", LocalName)
	case d.Local() && (d.User != "" || d.Password != "" || d.Port != 0 || d.Privilege != ""):
		return errors.New("the BMC of this machine has no port and no users")
	case d.Local():
		return nil
	case strings.ContainsFunc(d.Host, bad) || strings.ContainsAny(d.Host, " /@[]%"):
		return fmt.Errorf("%q is no host name and no address", d.Host)
	case d.Port < 0 || d.Port > 65535:
		return fmt.Errorf("%d is no port", d.Port)
	case d.Privilege != "" && !slices.Contains(Privileges, d.Privilege):
		return fmt.Errorf("%q is no privilege; it is one of %s", d.Privilege, strings.Join(Privileges, ", "))
	case len(d.User) > mostUser:
		return fmt.Errorf("the user name is longer than the %d bytes that IPMI has for it", mostUser)
	case len(d.Password) > mostPassword:
		return fmt.Errorf("the password is longer than the %d bytes that IPMI has for it", mostPassword)
	}
	return nil
}

// Store is the list of devices of a state folder, the file ipmi.json. It holds the passwords of BMCs, so that nobody
// but its owner may read it; one that others can read is refused. A running service reads it again whenever a BMC is
// asked for.
type Store struct{ path string }

// OpenStore is the list of a state folder. The file is made with the first device.
func OpenStore(folder string) *Store { return &Store{filepath.Join(folder, FileName)} }

// ErrUnsafe is the error of a list that other users may read.
var ErrUnsafe = errors.New("other users may read it: chmod 600")

// ErrNoDevice is the error of a name that is not in the list.
var ErrNoDevice = errors.New("is not in the list of BMCs")

// mostDevices bounds the list.
const mostDevices = 256

type document struct {
	Devices []Device `json:"devices"`
}

// Devices are the BMCs of the list, in the order in which they were added.
func (s *Store) Devices() ([]Device, error) {
	f, err := os.Open(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the list of BMCs: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read the list of BMCs: %w", err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("read the list of BMCs %s: %w", s.path, ErrUnsafe)
	}
	var d document
	if err := json.NewDecoder(f).Decode(&d); err != nil {
		return nil, fmt.Errorf("read the list of BMCs %s: %w", s.path, err)
	}
	if len(d.Devices) > mostDevices {
		return nil, fmt.Errorf("read the list of BMCs %s: more than %d devices", s.path, mostDevices)
	}
	for _, e := range d.Devices {
		if err := e.check(); err != nil {
			return nil, fmt.Errorf("read the list of BMCs %s: %w", s.path, err)
		}
	}
	return d.Devices, nil
}

// Put adds a device or replaces the one of the same name.
func (s *Store) Put(d Device) error {
	if err := d.check(); err != nil {
		return err
	}
	return s.update(func(all []Device) ([]Device, error) {
		if at := find(all, d.Name); at >= 0 {
			all[at] = d
			return all, nil
		}
		if len(all) == mostDevices {
			return nil, fmt.Errorf("the list of BMCs is full: %d devices", mostDevices)
		}
		return append(all, d), nil
	})
}

// Remove takes a device out of the list: ErrNoDevice.
func (s *Store) Remove(name string) error {
	return s.update(func(all []Device) ([]Device, error) {
		at := find(all, name)
		if at < 0 {
			return nil, fmt.Errorf("%s %w", name, ErrNoDevice)
		}
		return slices.Delete(all, at, at+1), nil
	})
}

// SetDisabled makes the provider leave a device alone, or use it again: ErrNoDevice.
func (s *Store) SetDisabled(name string, off bool) error {
	return s.update(func(all []Device) ([]Device, error) {
		at := find(all, name)
		if at < 0 {
			return nil, fmt.Errorf("%s %w", name, ErrNoDevice)
		}
		all[at].Disabled = off
		return all, nil
	})
}

func find(all []Device, name string) int {
	return slices.IndexFunc(all, func(d Device) bool { return strings.EqualFold(d.Name, name) })
}

// update writes the list anew: a reader finds the old one or the new one.
func (s *Store) update(change func([]Device) ([]Device, error)) error {
	all, err := s.Devices()
	if err != nil {
		return err
	}
	if all, err = change(all); err != nil {
		return err
	}
	b, err := json.MarshalIndent(document{all}, "", "  ")
	if err != nil {
		return err
	}
	folder := filepath.Dir(s.path)
	temp, err := os.CreateTemp(folder, ".ipmi-*") // of mode 0600
	if err != nil {
		return fmt.Errorf("write the list of BMCs: %w", err)
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(append(b, '\n'))
	if err == nil {
		err = fileowner.GiveLike(temp, folder)
	}
	err = errors.Join(err, temp.Sync(), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), s.path)
	}
	if err != nil {
		return fmt.Errorf("write the list of BMCs: %w", err)
	}
	return nil
}
