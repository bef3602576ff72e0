package cli

import (
	"errors"
	"strings"

	"github.com/casementhq/casement"
)

// transport is the way to a host.
type transport string

const (
	overWinRM transport = "WinRM"
	overDCOM  transport = "DCOM"
	overNone  transport = "" // this machine
)

// transportOf is the way that a host is reached by, which the hosts file may say.
func transportOf(host string) (transport, error) {
	if isDCOMTarget(host) {
		if bareHost(host) == "." {
			return overNone, nil
		}
		return overDCOM, nil
	}
	if host == "." {
		return overNone, nil
	}
	if strings.Contains(host, "://") {
		return overWinRM, nil
	}
	e, err := hostEntry(host)
	if isDCOMTarget(e.URL) {
		return overDCOM, err
	}
	return overWinRM, err
}

// isDCOMTarget tells whether an operand is a moniker or begins with dcom://.
func isDCOMTarget(arg string) bool {
	scheme, _, named := strings.Cut(arg, "://")
	return isMoniker(arg) || named && strings.EqualFold(scheme, "dcom")
}

// fits refuses flags of the other transport: what they ask for would not happen.
func (r *remote) fits(hosts []string) error {
	flags := []struct {
		given bool
		name  string
		of    transport
		use   string
	}{
		{r.pin != "", "--pin", overWinRM, "DCOM has no certificates"},
		{r.cert != "", "--cert", overWinRM, "DCOM has no certificates"},
		{r.ca != "", "--ca", overWinRM, "DCOM has no certificates"},
		{r.insecure, "--insecure-skip-verify", overWinRM, "DCOM has no certificates"},
		{r.soap != "", "--trace-soap", overWinRM, "--trace shows the calls of DCOM"},
		{r.unencrypted, "--unencrypted", overWinRM, "DCOM has --auth-level"},
		{r.auth != "" && !strings.EqualFold(r.auth, "negotiate") && r.auth != "ntlm", "--auth " + r.auth, overWinRM, "DCOM takes Negotiate"},
		{r.kerberos.spn != "", "--spn", overWinRM, "--authority Kerberos:CLASS/NAME names the service"},
		{r.kerberos.spnPort, "--spn-port", overWinRM, "--authority Kerberos:CLASS/NAME names the service"},
		{r.kerberos.delegate, "--delegate", overWinRM, "--impersonation delegate says the same"},
		{r.authLevel != "", "--auth-level", overDCOM, "name it as dcom://HOST, or leave the flag out: WinRM seals its messages"},
		{r.impersonation != "", "--impersonation", overDCOM, "name it as dcom://HOST, or leave the flag out"},
		{r.authority != "", "--authority", overDCOM, `name it as dcom://HOST, or give the domain with --user DOMAIN\user`},
	}
	for _, host := range hosts {
		way, err := transportOf(host)
		if err != nil {
			return err
		}
		for _, f := range flags {
			if f.given && way != overNone && way != f.of {
				return usageError("%s belongs to %s, and %s is reached over %s; %s", f.name, f.of, host, way, f.use)
			}
		}
	}
	return nil
}

// unreadable makes a target that cannot be read a wrong command line.
func unreadable(err error) error {
	var bad *casement.TargetError
	if errors.As(err, &bad) {
		return usageError("%s: %s", bad.Target, bad.Detail)
	}
	return err
}
