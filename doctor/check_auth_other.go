package doctor

import "context"

// Basic, Digest, CredSSP or a certificate signs in, where one was asked for.
func init() {
	register(check{id: wayOther, layer: LayerAuth, title: "The scheme that was asked for signs in", transport: "winrm", needs: []string{"auth.offer", "auth.client"},
		applies: func(t Target, _ Options) bool {
			switch t.Scheme {
			case "", "Negotiate", "Kerberos":
				return false
			}
			return true
		}, run: func(ctx context.Context, x *examination) found { return x.trySignIn(ctx) }})
}
