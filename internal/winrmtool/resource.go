package winrmtool

import (
	"strings"

	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wsman"
)

const uriMicrosoft = "http://schemas.microsoft.com/wbem/wsman/1"

// aliases are the first segments of a resource URI that the tool expands; they
// never reach the wire. See spec section 1.2.
var aliases = map[string]string{
	"wmi":      wsman.ResourceWMI,
	"wmicimv2": wsman.ResourceWMI + "/root/cimv2",
	"cimv2":    wsman.ResourceCIM,
	"winrm":    uriMicrosoft,
	"wsman":    uriMicrosoft,
	"shell":    wsman.ResourceShell,
}

// dialectAliases are the short names of filter dialects.
var dialectAliases = map[string]string{
	"wql":         wsman.DialectWQL,
	"selector":    wsman.DialectSelector,
	"association": wsman.DialectAssociation,
}

// configURIs are the configuration resources in the case in which the service
// writes them.
var configURIs = func() map[string]bool {
	known := map[string]bool{settings.URIListener: true, settings.URICertMapping: true, settings.URIPlugin: true, settings.URISecurity: true}
	for _, path := range []string{"", "/client", "/client/auth", "/client/defaultports", "/service", "/service/auth",
		"/service/defaultports", "/winrs", "/winrs/customremoteshell"} {
		known[settings.URIConfig+path] = true
	}
	return known
}()

// expand replaces an alias in the first segment of a URI. Configuration URIs,
// which compare without case, get their own spelling.
func expand(uri string) string {
	if !strings.Contains(uri, "://") {
		first, rest, found := strings.Cut(uri, "/")
		if full, ok := aliases[strings.ToLower(first)]; ok {
			uri = full
			if found {
				uri += "/" + rest
			}
		}
	}
	if lower := strings.ToLower(strings.TrimSuffix(uri, "/")); configURIs[lower] {
		return lower
	}
	return uri
}

// parseResource reads URI[?KEY=VALUE[+KEY=VALUE]...]. A value in double quotes
// may hold a plus sign. See spec section 1.2.
func parseResource(arg string) (wsman.EPR, error) {
	base, query, selected := strings.Cut(arg, "?")
	epr := wsman.EPR{Address: wsman.Anonymous, ResourceURI: expand(strings.TrimSpace(base))}
	if epr.ResourceURI == "" {
		return epr, fault(codeBlankURI, "no resource was named; give a URI or an alias such as winrm/config (winrm help uris)")
	}
	if strings.ContainsAny(epr.ResourceURI, " \t\r\n<>\"") {
		return epr, fault(wsman.CodeInvalidURI, "the resource URI %q holds blanks, quotes or angle brackets", clip(epr.ResourceURI))
	}
	if !selected {
		return epr, nil
	}
	selectors, err := parseSelectors(query)
	if err != nil {
		return epr, err
	}
	if wsman.SameResource(epr.ResourceURI, settings.URICertMapping) {
		for i, s := range selectors {
			if strings.EqualFold(s.Name, "URI") {
				selectors[i].Value = expand(s.Value)
			}
		}
	}
	epr.Selectors = selectors
	return epr, nil
}

// parseSelectors reads KEY=VALUE[+KEY=VALUE]... with at least one key.
func parseSelectors(query string) (wsman.SelectorSet, error) {
	var set wsman.SelectorSet
	rest := query
	for {
		name, after, found := strings.Cut(rest, "=")
		name = strings.TrimSpace(name)
		if !found || !isKey(name) {
			return nil, fault(wsman.CodeURIQuerySyntax, "the selectors %q cannot be read; write ?KEY=VALUE and join several with +", clip(query))
		}
		value, tail, more := "", "", false
		if quoted := strings.TrimLeft(after, " \t"); strings.HasPrefix(quoted, `"`) {
			end := strings.IndexByte(quoted[1:], '"')
			if end < 0 {
				return nil, fault(wsman.CodeURIQuerySyntax, "the value of the selector %s has no closing quote", clip(name))
			}
			value, tail = quoted[1:1+end], strings.TrimSpace(quoted[2+end:])
			if more = strings.HasPrefix(tail, "+"); !more && tail != "" {
				return nil, fault(wsman.CodeURIQuerySyntax, "something stands behind the closing quote of the selector %s; join selectors with +", clip(name))
			}
			tail = strings.TrimPrefix(tail, "+")
		} else {
			value, tail, more = strings.Cut(after, "+")
		}
		set = append(set, wsman.Selector{Name: name, Value: value})
		if !more {
			return set, nil
		}
		rest = tail
	}
}

// isKey tells the name of a selector: letters, digits and underscores, not
// beginning with a digit.
func isKey(s string) bool {
	for i, r := range s {
		if r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}

// lastSegment is what stands behind the last slash of a URI.
func lastSegment(uri string) string { return uri[strings.LastIndexByte(uri, '/')+1:] }
