package pool

import (
	"context"
	"errors"
	"strings"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wsman"
)

// reached says how a server was reached, or why it was not.
type reached struct {
	transport Transport
	// product is what Identify told: "OS: 6.1.7601 SP: 1.0 Stack: 2.0"; zero over DCOM.
	product product
	// why is why DCOM is used and not WinRM.
	why string
	// err is why the server was not reached; nil where it was.
	err error
	// hint is what else is known where err is: DCOM answers, for instance.
	hint string
}

// reach asks whether a server answers: Identify, which is proved by the connection
// that is kept, or a login over DCOM where the entry or the release wants that.
// See spec/winrm.md 9 and rows 3.16 and 3.18.
func (l *link) reach(ctx context.Context, prev Snapshot) reached {
	if l.server.Transport == DCOM {
		return reached{transport: DCOM, why: "its entry says so", err: l.login(ctx)}
	}
	r := reached{transport: WinRM}
	r.product, r.err = l.identify(ctx)
	if l.server.Transport != Automatic {
		return r
	}
	switch {
	case r.err == nil && r.product.tooOld():
		if l.login(ctx) == nil {
			r.transport = DCOM
			r.why = releaseOf(r.product.os).name + " has WinRM " + r.product.stack + ": Windows Management Framework 3.0 or later is missing"
		}
	case r.err != nil && silent(r.err) && !knownModern(prev.Facts):
		l.without(ctx, &r)
	}
	return r
}

// without asks over DCOM what a server is that does not answer over WinRM. One whose
// release has no WinRM that could be used is managed over DCOM; any other is not.
func (l *link) without(ctx context.Context, r *reached) {
	if l.login(ctx) != nil {
		return
	}
	version, windows, err := l.version(ctx)
	if err != nil {
		return
	}
	if old := releaseOf(version); windows && old.dcom {
		r.why = old.name + " does not answer over WinRM (" + sentence(r.err) + ")"
		r.transport, r.err = DCOM, nil
		return
	}
	r.hint = "it answers over DCOM; set its transport to dcom to manage it that way"
}

// knownModern tells whether a server is known to be one that is managed over WinRM alone.
func knownModern(f *Facts) bool {
	return f != nil && f.Version != "" && !(f.Windows && releaseOf(f.Version).dcom)
}

// identify asks what serves WinRM there.
func (l *link) identify(ctx context.Context) (product, error) {
	ctx, cancel := context.WithTimeout(ctx, reachLimit)
	defer cancel()
	c, err := l.overWinRM(ctx)
	if err != nil {
		return product{}, err
	}
	id, err := c.Identify(ctx, false)
	if err != nil {
		return product{}, err
	}
	return parseProduct(id.ProductVendor, id.ProductVersion), nil
}

// login opens root\cimv2 over DCOM, as any operation there has to.
func (l *link) login(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, reachLimit)
	defer cancel()
	c, err := l.overDCOM(ctx)
	if err != nil {
		return err
	}
	s, err := c.Session(ctx, "")
	if err != nil {
		return err
	}
	return s.Close()
}

// version asks over DCOM which operating system it is.
func (l *link) version(ctx context.Context) (version string, windows bool, err error) {
	q, err := l.questions(ctx, DCOM)
	if err != nil {
		return "", false, err
	}
	defer q.close()
	err = q.each(ctx, tileLimit, "SELECT Version, OSType FROM Win32_OperatingSystem", 1, func(i *cim.Instance) {
		version, windows = textOf(i, "Version"), numberOf(i, "OSType") == osTypeWindows
	})
	return version, windows, err
}

// silent tells whether nothing that speaks WinRM answered, so that nothing is known of
// the account either.
func silent(err error) bool {
	c, _ := codeOf(err)
	switch wsman.Code(c) {
	case codeNoConnection, wsman.CodeNetworkTimedOut, wsman.CodeHTTPNotFound, codeHTML:
		return true
	}
	return errors.Is(err, context.DeadlineExceeded)
}

// product is what Identify tells of the product.
type product struct {
	windows bool
	os      string // 6.1.7601
	stack   string // 2.0
}

// parseProduct reads "OS: 6.1.7601 SP: 1.0 Stack: 2.0". See [MS-WSMV] 3.1.4.1.23.
func parseProduct(vendor, version string) product {
	p := product{windows: strings.HasPrefix(vendor, "Microsoft")}
	words := strings.Fields(version)
	for n := 0; n+1 < len(words); n++ {
		switch words[n] {
		case "OS:":
			p.os = clean(words[n+1], maxWord)
		case "Stack:":
			p.stack = clean(words[n+1], maxWord)
		}
	}
	return p
}

// tooOld tells whether it is a release that is managed over DCOM because its WinRM is
// older than that of Windows Management Framework 3.0.
func (p product) tooOld() bool {
	return p.windows && releaseOf(p.os).dcom && p.stack != "" && older(p.stack, "3.0")
}
