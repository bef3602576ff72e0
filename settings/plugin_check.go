package settings

import (
	"strings"
	"unicode"
)

// Limits of plug-in attributes.
const (
	maxPluginText  = 2048
	maxProcessIdle = 1209600
)

// capabilities of a plug-in resource; Identify is for the built-in WMI plug-in.
const (
	capFragment = 1 << iota
	capFilter
	capShell
	capPlain
)

var capabilities = map[string]int{
	"Get": capFragment, "Put": capFragment, "Create": capFragment, "Delete": capFragment,
	"Enumerate": capFilter, "Subscribe": capFilter,
	"Shell": capShell, "Invoke": capPlain, "Identify": capPlain,
}

// Validate checks a plug-in's configuration by itself: names and ranges, at least one
// Resource with at least one Capability, Shell alone on its resource, security entries
// below their resource. Whether the file is there is for the caller to check
// (CodeFileNotPresent). Errors are *Error. See [MS-WSMV] 2.2.4.22 to 2.2.4.30.
func (p Plugin) Validate() error {
	switch {
	case p.Name == "" || len(p.Name) > maxPluginText || strings.IndexFunc(p.Name, unicode.IsControl) >= 0:
		return schemaErr("Name", "want 1 to %d characters", maxPluginText)
	case p.Filename == "" || len(p.Filename) > maxPluginText:
		return fail(CodeInvalidFilePath, "Filename", "want 1 to %d characters", maxPluginText)
	case p.SDKVersion > 2:
		return schemaErr("SDKVersion", "%d is not 1 or 2", p.SDKVersion)
	case p.XMLRenderingType != "" && !strings.EqualFold(p.XMLRenderingType, "text") && !strings.EqualFold(p.XMLRenderingType, "XmlReader"):
		return schemaErr("XmlRenderingType", "%q is not text or XmlReader", clip(p.XMLRenderingType))
	case p.Architecture != "" && p.Architecture != "32" && p.Architecture != "64":
		return schemaErr("Architecture", "%q is not 32 or 64", clip(p.Architecture))
	case p.ProcessIdleTimeoutSec > maxProcessIdle:
		return schemaErr("ProcessIdleTimeoutSec", "%d is above %d", p.ProcessIdleTimeoutSec, maxProcessIdle)
	case p.OutputBufferingMode != "" && p.OutputBufferingMode != "Block" && p.OutputBufferingMode != "Drop":
		return schemaErr("OutputBufferingMode", "%q is not Block or Drop", clip(p.OutputBufferingMode))
	case len(p.Resources) == 0:
		return schemaErr("Resources", "a plug-in needs at least one Resource")
	}
	if q := p.Quotas; q != nil {
		if err := q.check(); err != nil {
			return err
		}
	}
	seen := make(map[string]bool)
	for _, r := range p.Resources {
		uri := strings.ToLower(r.ResourceURI)
		if seen[uri] {
			return schemaErr("ResourceUri", "%q is there twice", clip(r.ResourceURI))
		}
		seen[uri] = true
		if err := r.check(); err != nil {
			return err
		}
	}
	return nil
}

func (q *PluginQuotas) check() error {
	if q.MaxConcurrentUsers > 100 {
		return schemaErr("Quotas/MaxConcurrentUsers", "%d is above 100", q.MaxConcurrentUsers)
	}
	if q.MaxIdleTimeoutms != 0 && q.MaxIdleTimeoutms < minIdleTimeout {
		return schemaErr("Quotas/MaxIdleTimeoutms", "%d is below %d", q.MaxIdleTimeoutms, minIdleTimeout)
	}
	if q.IdleTimeoutms != 0 && q.IdleTimeoutms < minIdleTimeout {
		return schemaErr("Quotas/IdleTimeoutms", "%d is below %d", q.IdleTimeoutms, minIdleTimeout)
	}
	return nil
}

func (r Resource) check() error {
	if r.ResourceURI == "" || len(r.ResourceURI) > maxPluginText || strings.IndexFunc(r.ResourceURI, unicode.IsSpace) >= 0 {
		return schemaErr("ResourceUri", "%q is no resource URI", clip(r.ResourceURI))
	}
	if len(r.Capabilities) == 0 {
		return schemaErr("Capability", "%s has none", clip(r.ResourceURI))
	}
	seen := make(map[string]bool)
	for _, c := range r.Capabilities {
		kind, known := capabilities[c.Type]
		switch {
		case !known:
			return schemaErr("Capability/Type", "%q is unknown", clip(c.Type))
		case seen[c.Type]:
			return schemaErr("Capability/Type", "%s is there twice", c.Type)
		case kind == capShell && len(r.Capabilities) > 1:
			return schemaErr("Capability/Type", "Shell excludes every other capability")
		case c.SupportsFragment && kind != capFragment:
			return schemaErr("Capability/SupportsFragment", "%s has no fragments", c.Type)
		case c.SupportsFiltering && kind != capFilter:
			return schemaErr("Capability/SupportsFiltering", "%s has no filter", c.Type)
		}
		seen[c.Type] = true
	}
	for _, s := range r.Security {
		if !hasPrefixFold(s.URI, r.ResourceURI) {
			return fail(CodeURISecurity, "Security/Uri", "%q does not begin with the resource's URI", clip(s.URI))
		}
		if _, why := checkSDDL(s.SDDL); why != "" {
			return fail(CodeSecurityDescriptor, "Security/Sddl", "%s", why)
		}
	}
	return nil
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}
