package ipmi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/bougou/go-ipmi/pkg/client"
)

// Modules are the modules of the kernel that make /dev/ipmi0 of what the firmware declares.
func (l Local) Modules() []string {
	driver := "ipmi_si"
	if slices.ContainsFunc(l.Sources, func(s string) bool { return strings.Contains(s, SSIF.String()) }) {
		driver = "ipmi_ssif"
	}
	return []string{driver, "ipmi_devintf"}
}

// loadTime bounds the probing of a driver.
const loadTime = 30 * time.Second

// LoadModules loads modules of the kernel with modprobe(8), for root.
func LoadModules(ctx context.Context, modules []string) error {
	ctx, cancel := context.WithTimeout(ctx, loadTime)
	defer cancel()
	out, err := exec.CommandContext(ctx, "modprobe", append([]string{"-a"}, modules...)...).CombinedOutput()
	if err != nil {
		if text := strings.Join(strings.Fields(string(out)), " "); text != "" {
			return fmt.Errorf("%w: %s", err, text)
		}
	}
	return err
}

// ErrNoBMC is the error of a machine without a BMC of its own, or without a driver for it.
var ErrNoBMC = errors.New("this machine has no BMC that can be used")

// AddLocal records the BMC of this machine: ErrNoBMC. Where the kernel has no driver for it yet, load is called with
// the modules to load; nil loads none. root is "/" but in tests. said are the steps, one sentence each, also of a
// failure.
func AddLocal(ctx context.Context, s *Store, root string, load func(ctx context.Context, modules []string) error) (said []string, err error) {
	l := Discover(root)
	said = append(said, "Found: "+l.String()+".")
	if modules := l.Modules(); len(l.Devices) == 0 && load == nil {
		said = append(said, "The driver was not loaded: that needs root. As root: modprobe -a "+strings.Join(modules, " ")+".")
	} else if len(l.Devices) == 0 {
		if err := load(ctx, modules); err != nil {
			said = append(said, "The modules "+strings.Join(modules, " and ")+" were not loaded: "+err.Error()+".")
		} else {
			said = append(said, "The modules "+strings.Join(modules, " and ")+" were loaded.")
		}
		l = Discover(root)
	}
	if len(l.Devices) == 0 {
		return said, ErrNoBMC
	}
	if err := s.Put(Device{Name: LocalName}); err != nil {
		return said, err
	}
	return append(said, "The BMC of this machine, "+l.Devices[0]+", was added."), nil
}

// Answer is what a BMC says about itself.
type Answer struct {
	Manufacturer string // IANA enterprise number
	Product      string
	Firmware     string // "9.08"
	Version      string // of IPMI, "2.0"
}

// Probe asks a BMC once who it is: ErrCredentials, ErrNoBMC. root is "/" but in tests.
func Probe(ctx context.Context, d Device, root string) (Answer, error) {
	number := 0
	if d.Local() {
		l := Discover(root)
		if len(l.Devices) == 0 {
			return Answer{}, ErrNoBMC
		}
		number, _ = deviceNumber(l.Devices[0])
	}
	b := newBMC(d, number, slog.New(slog.DiscardHandler), usualPace)
	defer b.close()
	var c computer
	err := b.use(ctx, func(ctx context.Context, conn *client.Client) (err error) {
		c, err = readComputer(ctx, conn)
		return err
	})
	return Answer{Manufacturer: c.manufacturer, Product: c.product, Firmware: c.firmware, Version: c.version}, err
}
