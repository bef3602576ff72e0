package console

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/console/auditlog"
	"github.com/casementhq/casement/pool"
	"github.com/casementhq/casement/pool/find"
	"github.com/casementhq/casement/pool/lists"
)

// directoryForm is what the tab Directory was filled in with; the password is not kept.
type directoryForm struct {
	Domain, Controller, Base string
	Security, Thumbprint     string
	SignIn                   string // the name of a credential; "" is User with a password
	User                     string
	Like, System             string
	Clients                  bool
}

// securities are how a connection to a directory is protected, as the form names it.
var securities = []string{string(find.Sealed), string(find.StartTLS), string(find.LDAPS)}

func directoryOf(f url.Values) directoryForm {
	get := func(key string) string { return strings.TrimSpace(f.Get(key)) }
	return directoryForm{Domain: get("domain"), Controller: get("controller"), Base: get("base"), Security: get("security"), Thumbprint: get("thumbprint"),
		SignIn: get("signin"), User: get("user"), Like: get("like"), System: get("system"), Clients: f.Get("clients") != ""}
}

// findDirectory asks a directory for computers.
func (c *Console) findDirectory(rq *request, p *addPage) ([]pool.Server, error) {
	f := p.Directory
	wrong := func(text string) error {
		return &problem{Status: http.StatusUnprocessableEntity, Text: text, Next: "Nothing was asked."}
	}
	switch {
	case f.Domain == "" && f.Controller == "":
		return nil, wrong("No domain is named.")
	case !slices.Contains(securities, f.Security):
		return nil, wrong("The connection is sealed, StartTLS or LDAPS.")
	case f.SignIn == "" && f.User == "":
		return nil, wrong("Who asks is not named.")
	case f.SignIn != "" && f.Security != string(find.Sealed) && rq.who.Role < Administrator:
		// Over TLS the password itself goes to the controller that is named here.
		return nil, wrong("With a named credential the connection is sealed, so that its password is not sent; only an Administrator may send it over TLS.")
	}
	o := find.DirectoryOptions{Domain: f.Domain, Controller: f.Controller, Security: find.Security(f.Security), Thumbprint: f.Thumbprint,
		Base: f.Base, Name: f.Like, System: f.System, Clients: f.Clients, Credentials: auth.Credentials{Username: f.User, Password: rq.Form.Get("password")}}
	ctx, cancel := context.WithTimeout(rq.Context(), testTime)
	defer cancel()
	var found *find.Computers
	e := auditlog.Entry{Action: "query", Parameters: map[string]string{"directory": cmpOr(f.Domain, f.Controller), "base": f.Base, "as": cmpOr(f.SignIn, f.User)}}
	err := c.act(rq, e, func(*auditlog.Entry) (err error) {
		if f.SignIn != "" {
			if o.Credentials, err = c.pool.Opened(ctx, f.SignIn); err != nil {
				return err
			}
		}
		if found, err = find.InDirectory(ctx, o); err != nil {
			return &problem{Status: http.StatusBadGateway, Text: "The directory of " + cmpOr(f.Domain, f.Controller) + " could not be asked: " + err.Error() + ".", Err: err}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var list []pool.Server
	for _, k := range found.Computers {
		if lists.CheckName(k.Name) != nil {
			p.Notes = append(p.Notes, "left out, as its name is no host name: "+short(strings.ToValidUTF8(k.Name, "?")))
			continue
		}
		list = append(list, pool.Server{Name: k.Name, Note: k.System})
	}
	if found.More {
		p.Notes = append(p.Notes, "there are more than these "+countText(len(found.Computers)))
	}
	if len(list) == 0 {
		return nil, &problem{Status: http.StatusUnprocessableEntity, Text: "The directory has no such computer under " + found.Base + "."}
	}
	return list, nil
}
