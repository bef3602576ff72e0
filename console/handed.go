package console

import (
	"net/http"
	"slices"
	"strings"

	"github.com/casementhq/casement/pool"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// Basic and CredSSP hand the password itself to the server. Who may choose the server
// for such a credential could choose one of the own, and read what is never read back:
// that is for administrators. All other schemes prove the password without telling it.

// mayHand tells whether who asks may have servers reached as they will be. before are
// their entries as they are; a server that is handed the same password already stays.
func (c *Console) mayHand(rq *request, before, after []pool.Server) error {
	if rq.who.Role >= Administrator {
		return nil
	}
	all, err := c.pool.Credentials(rq.Context())
	if err != nil {
		return err
	}
	for n, s := range after {
		k, ok := credentialFor(all, s)
		if !ok || k.Scheme != wsmanclient.Basic && k.Scheme != wsmanclient.CredSSP {
			continue
		}
		if n < len(before) {
			if was, ok := credentialFor(all, before[n]); ok && strings.EqualFold(was.Name, k.Name) {
				continue
			}
		}
		return &problem{Status: http.StatusForbidden, Title: "Not permitted", Text: s.Name + " would be given the password of the credential " + k.Name + ": its scheme, " + string(k.Scheme) + ", hands it over.",
			Next: "An administrator says which servers that are.", Err: c.refuse(rq, Administrator)}
	}
	return nil
}

// credentialFor is the credential of a server, as the pool chooses it: the one that its
// entry names, else that of one of its tags, else the pool's.
func credentialFor(all []pool.Credential, s pool.Server) (pool.Credential, bool) {
	s.Tags = slices.Clone(s.Tags)
	if err := s.Clean(); err != nil {
		return pool.Credential{}, false // it will not be kept
	}
	if s.Credential != "" {
		n := slices.IndexFunc(all, func(k pool.Credential) bool { return strings.EqualFold(k.Name, s.Credential) })
		if n < 0 {
			return pool.Credential{}, false
		}
		return all[n], true
	}
	for _, what := range append(slices.Clone(s.Tags), pool.ForAll) {
		if n := slices.IndexFunc(all, func(k pool.Credential) bool { return slices.Contains(k.For, what) }); n >= 0 {
			return all[n], true
		}
	}
	return pool.Credential{}, false
}
