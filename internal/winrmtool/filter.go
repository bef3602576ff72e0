package winrmtool

import (
	"strings"

	"github.com/casementhq/casement/wsman"
)

// parseFilter reads -filter and -dialect. The default dialect of a text is WQL;
// what begins with < is the XML of the dialect. It returns nil for no filter.
// See spec sections 1.2 and 4.4.
func parseFilter(text, dialect string, associations bool, target wsman.EPR) (*wsman.Filter, error) {
	if text == "" {
		if dialect != "" || associations {
			return nil, usage("-dialect and -associations need -filter")
		}
		return nil, nil
	}
	f := &wsman.Filter{Dialect: wsman.DialectWQL}
	if dialect != "" {
		f.Dialect = dialect
		if full, ok := dialectAliases[strings.ToLower(dialect)]; ok {
			f.Dialect = full
		}
	}
	if associations && f.Dialect != wsman.DialectAssociation {
		return nil, usage("-associations needs -dialect:association")
	}
	text = strings.TrimSpace(text)
	switch {
	case strings.HasPrefix(text, "<"):
		if _, err := parseXML([]byte(text)); err != nil {
			return nil, usage("the filter: %v", err)
		}
		f.XML.XML = []byte(text)
		return f, nil
	case f.Dialect == wsman.DialectSelector:
		list, err := parseHash(strings.TrimPrefix(text, "@"))
		if err != nil {
			return nil, err
		}
		for _, p := range list {
			f.Selectors = append(f.Selectors, wsman.Selector{Name: p.Name, Value: p.Value})
		}
		return f, nil
	case f.Dialect == wsman.DialectAssociation:
		var err error
		f.Association, err = parseAssociation(text, associations, target)
		return f, err
	}
	f.Text = text
	return f, nil
}

// parseAssociation reads {object=CLASS?KEYS;associationclassname=;role=;
// resultclassname=;resultrole=;includeresultproperty=}. Keys compare without
// case; object is mandatory. See spec section 4.4.
func parseAssociation(text string, associations bool, target wsman.EPR) (*wsman.AssociationFilter, error) {
	bad := func(why string) error {
		return usage("the association filter %s cannot be read: %s (winrm help filters)", clip(text), why)
	}
	if len(text) < 2 || text[0] != '{' || text[len(text)-1] != '}' {
		return nil, bad("it must stand between { and }")
	}
	f := &wsman.AssociationFilter{Associations: associations}
	seen := map[string]bool{}
	for item := range strings.SplitSeq(text[1:len(text)-1], ";") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		key, value, found := strings.Cut(item, "=")
		key, value = strings.ToLower(strings.TrimSpace(key)), strings.TrimSpace(value)
		if !found || value == "" {
			return nil, bad("each item is KEY=VALUE")
		}
		if seen[key] && key != "includeresultproperty" {
			return nil, bad(key + " is named twice")
		}
		seen[key] = true
		var err error
		switch key {
		case "object":
			f.Object, err = associationObject(value, target)
		case "associationclassname":
			f.AssociationClass = value
		case "role":
			f.Role = value
		case "resultclassname":
			f.ResultClass = value
		case "resultrole":
			f.ResultRole = value
		case "includeresultproperty":
			f.Properties = append(f.Properties, value)
		default:
			return nil, bad("there is no key " + clip(key))
		}
		if err != nil {
			return nil, err
		}
	}
	if !seen["object"] {
		return nil, bad("object=CLASS?KEY=VALUE is missing")
	}
	if associations && (seen["associationclassname"] || seen["resultrole"]) {
		return nil, bad("associationclassname and resultrole do not go with -associations")
	}
	return f, nil
}

// associationObject reads the class and keys of the object whose associations
// are wanted, in the namespace of the enumeration.
func associationObject(value string, target wsman.EPR) (wsman.EPR, error) {
	class, query, selected := strings.Cut(value, "?")
	uri := expand(class)
	if !strings.Contains(uri, "://") {
		uri = target.ResourceURI[:strings.LastIndexByte(target.ResourceURI, '/')+1] + class
	}
	epr := wsman.EPR{Address: wsman.Anonymous, ResourceURI: uri}
	if !selected {
		return epr, nil
	}
	var err error
	epr.Selectors, err = parseSelectors(query)
	return epr, err
}
