package cli

import (
	"github.com/casementhq/casement"
	"github.com/casementhq/casement/auth/tickets"
	"github.com/spf13/cobra"
)

// kerberosFlags say where tickets come from and for what name.
type kerberosFlags struct {
	keytab, ccache, spn string
	spnPort, delegate   bool
}

func (k *kerberosFlags) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&k.keytab, "keytab", "", "keytab of the user, in place of a password")
	f.StringVar(&k.ccache, "ccache", "", "credential cache with the user's tickets (default without a user: KRB5CCNAME, else that of kinit)")
	f.StringVar(&k.spn, "spn", "", "over WinRM: class of the host's service principal name: HTTP (default), WSMAN or host")
	f.BoolVar(&k.spnPort, "spn-port", false, "over WinRM: the port is part of the service principal name")
	f.BoolVar(&k.delegate, "delegate", false, "over WinRM: hand a forwarded ticket over, with which the host can act as the user elsewhere")
}

// check refuses what contradicts itself.
func (k *kerberosFlags) check() error {
	if k.keytab != "" && k.ccache != "" {
		return usageError("--keytab and --ccache exclude each other")
	}
	return nil
}

// given tells whether no password is needed.
func (k *kerberosFlags) given() bool { return k.keytab != "" || k.ccache != "" }

// options puts the flags into o and gives how to forget the tickets.
func (k *kerberosFlags) options(o *casement.Options) (forget func() error) {
	o.Tickets = tickets.New(tickets.Options{Keytab: k.keytab, CCache: k.ccache})
	o.SPN, o.SPNPort, o.Delegate = k.spn, k.spnPort, k.delegate
	return o.Tickets.Close
}
