package cli

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/casementhq/casement/service"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/wsmanclient"
	"github.com/spf13/cobra"
)

func init() { subcommands = append(subcommands, newCert) }

const certHelp = `Certificates in the state folder: those of this machine and of its user, each with its key,
and the authorities from which the service takes client certificates. The authorities of
the system are not among those, since each of them certifies anybody.

With 'casement cert add' a certificate is there for listeners, and for
'winrm ... -authentication:Certificate -certificate:THUMBPRINT'. With 'casement cert trust'
its authority may be the Issuer of a mapping:

  winrm set winrm/config/service/auth @{Certificate="true"} -remote:localhost ...
  winrm create winrm/config/service/certmapping?Issuer=THUMBPRINT+Subject=*@example.org+URI=* \
    @{UserName="alice";Password="..."} -remote:localhost ...

A running service knows a change at once.`

func newCert(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "cert", Short: "Certificates of this machine, and authorities of client certificates", Long: certHelp,
		Example: "  casement cert trust ca.pem\n  casement cert add alice.pem alice.key\n  casement cert list"}
	c.AddCommand(certAdd(s), certRemove(s), certTrust(s), certDistrust(s), certList(s))
	return group(c)
}

func certAdd(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "add CERTIFICATE KEY", Short: "Add a certificate with its key",
		Args: operands(2, 2, "the PEM files of a certificate and of its key"), Example: "  casement cert add alice.pem alice.key"}
	state := stateFlag(c)
	c.RunE = func(_ *cobra.Command, args []string) error {
		cert, err := os.ReadFile(args[0])
		if err != nil {
			return err
		}
		key, err := os.ReadFile(args[1])
		if err != nil {
			return err
		}
		return withState(*state, func(st *service.State) error {
			print, err := st.Certificates.Add(cert, key)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(s.Out, print)
			return err
		})
	}
	return c
}

func certRemove(s Streams) *cobra.Command {
	return certChange(s, "remove THUMBPRINT...", "Remove certificates and their keys", "removed",
		func(st *service.State, print string) error { return st.Certificates.Remove(print) })
}

func certDistrust(s Streams) *cobra.Command {
	return certChange(s, "distrust THUMBPRINT...", "Take no client certificates of these authorities any more", "no authority any more",
		func(st *service.State, print string) error { return st.Authorities.Remove(print) })
}

func certChange(s Streams, use, short, done string, do func(*service.State, string) error) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: operands(1, -1, "thumbprints")}
	c.Example = "  casement cert " + c.Name() + " 0123456789ABCDEF0123456789ABCDEF01234567"
	state := stateFlag(c)
	c.RunE = func(_ *cobra.Command, args []string) error {
		return withState(*state, func(st *service.State) error {
			for _, print := range args {
				if err := do(st, print); errors.Is(err, fs.ErrNotExist) {
					return fmt.Errorf("%w; 'casement cert list' shows those that are there", err)
				} else if err != nil {
					return err
				}
				fmt.Fprintf(s.Out, "%s is %s.\n", print, done)
			}
			return nil
		})
	}
	return c
}

func certTrust(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "trust FILE", Short: "Take client certificates of the authorities in a PEM file", Args: operands(1, 1, "one PEM file"),
		Long:    "The service takes a client certificate when a chain of these leads from it to one that signed itself. Who its holder is, a mapping must say.",
		Example: "  casement cert trust ca.pem"}
	state := stateFlag(c)
	c.RunE = func(_ *cobra.Command, args []string) error {
		b, err := os.ReadFile(args[0])
		if err != nil {
			return err
		}
		return withState(*state, func(st *service.State) error {
			prints, err := st.Authorities.Add(b)
			if err != nil {
				return err
			}
			for _, print := range prints {
				fmt.Fprintln(s.Out, print)
			}
			return nil
		})
	}
	return c
}

func certList(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List certificates and authorities", Args: operands(0, 0, "no operand"), Example: "  casement cert list -o json"}
	state := stateFlag(c)
	format := formatFlag(c)
	c.RunE = func(*cobra.Command, []string) error {
		return withState(*state, func(st *service.State) error {
			t := listing{format: *format, columns: []string{"Thumbprint", "Kind", "Subject", "Issuer", "NotAfter"}}
			row := func(kind string, c *x509.Certificate) {
				t.add(service.Thumbprint(c), kind, c.Subject.String(), c.Issuer.String(), c.NotAfter.UTC().Format(time.RFC3339))
			}
			own, err := st.Certificates.All()
			for _, c := range own {
				row("certificate", c.Leaf)
			}
			trusted, bad := st.Authorities.All()
			for _, c := range trusted {
				row("authority", c)
			}
			return errors.Join(t.print(s.Out), err, bad)
		})
	}
	return c
}

// Codes of winrm for a client's certificate.
const (
	codeCertInvalid     wsman.Code = 0x803380B7
	codeCertUsageClient wsman.Code = 0x80338155
)

// userCertificate finds a certificate of the state folder for signing in.
func userCertificate(state, thumbprint string) (*tls.Certificate, error) {
	store, err := service.OpenCertificates(filepath.Join(state, "certificates"))
	if err != nil {
		return nil, err
	}
	cert, err := store.Find(thumbprint)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, wsman.NewFault(wsman.CodeCertNotFound, "the state folder has no certificate "+thumbprint+"; 'casement cert add' adds it, 'casement cert list' shows those that are there")
	case err != nil:
		return nil, wsman.NewFault(codeCertInvalid, "the certificate "+thumbprint+" cannot be used: "+err.Error())
	}
	use := cert.Leaf.ExtKeyUsage
	if len(use)+len(cert.Leaf.UnknownExtKeyUsage) > 0 && !slices.Contains(use, x509.ExtKeyUsageClientAuth) && !slices.Contains(use, x509.ExtKeyUsageAny) {
		return nil, wsman.NewFault(codeCertUsageClient, "the certificate "+thumbprint+" is not for the authentication of clients")
	}
	return cert, nil
}

// certificate reads the files of --cert and --key; nil where they are not given.
func (r *remote) certificate() (*tls.Certificate, error) {
	scheme, err := schemeOf(r.auth)
	switch {
	case err != nil:
		return nil, err
	case r.cert == "" && (r.key != "" || scheme == wsmanclient.Certificate):
		return nil, usageError("--cert FILE is needed with --key and with --auth Certificate")
	case r.cert == "":
		return nil, nil
	case r.user != "" || r.keyring:
		return nil, usageError("--cert says who the user is: --user and --keyring do not go with it")
	case scheme != "" && scheme != wsmanclient.Certificate:
		return nil, usageError("--cert does not go with --auth %s", r.auth)
	}
	key := r.key
	if key == "" {
		key = r.cert
	}
	cert, err := tls.LoadX509KeyPair(r.cert, key)
	if err != nil {
		return nil, fmt.Errorf("--cert: %w", err)
	}
	return &cert, nil
}
