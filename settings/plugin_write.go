package settings

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/casementhq/casement/registry"
)

// CreatePlugin checks a new plug-in and returns the registry changes. The service
// exposes it after a restart. RunAsPassword is for the caller to keep. Errors are *Error.
func CreatePlugin(r Reader, p Plugin) ([]Change, error) {
	all, _ := Plugins(r)
	if findPlugin(all, p.Name) >= 0 {
		return nil, fail(CodeAlreadyExists, "Plugin", "the plug-in %q exists", clip(p.Name))
	}
	return writePlugin(r, all, p)
}

// PutPlugin replaces the configuration of a plug-in, also of a built-in one.
func PutPlugin(r Reader, p Plugin) ([]Change, error) {
	all, _ := Plugins(r)
	i := findPlugin(all, p.Name)
	if i < 0 {
		return nil, fail(CodeResourceNotFound, "Plugin", "no plug-in %q", clip(p.Name))
	}
	if all[i].Source == "GPO" {
		return nil, fail(CodeGPOControlled, "Plugin", "Group Policy sets this plug-in")
	}
	return writePlugin(r, append(all[:i:i], all[i+1:]...), p)
}

// DeletePlugin removes a plug-in of the hive. A built-in one comes back as it was, and
// one that was not changed cannot be deleted: CodeReadOnly.
func DeletePlugin(r Reader, name string) ([]Change, error) {
	all, _ := Plugins(r)
	i := findPlugin(all, name)
	if i < 0 {
		return nil, fail(CodeResourceNotFound, "Plugin", "no plug-in %q", clip(name))
	}
	key := KeyPlugin + `\` + pluginKeyName(name)
	if _, src, ok := r.Value(key, "ConfigXML"); !ok {
		return nil, fail(CodeReadOnly, "Plugin", "%q is built in", clip(name))
	} else if src == registry.SourceGPO {
		return nil, fail(CodeGPOControlled, "Plugin", "Group Policy sets this plug-in")
	}
	return []Change{{Key: key, DeleteKey: true}}, nil
}

func writePlugin(r Reader, others []Plugin, p Plugin) ([]Change, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if p.RunAsUser != "" || p.RunAsPassword != "" {
		v, _, _ := r.Value(KeyPolicy+`\Service`, "DisableRunAs")
		if n, _ := v.Uint(); n != 0 {
			return nil, fail(CodeRunAsDisabled, "RunAsUser", "Group Policy forbids to store RunAs credentials")
		}
	}
	for _, o := range others {
		for _, or := range o.Resources {
			for _, pr := range p.Resources {
				if strings.EqualFold(or.ResourceURI, pr.ResourceURI) && or.ExactMatch == pr.ExactMatch {
					return nil, fail(CodeAlreadyExists, "ResourceUri", "%s belongs to the plug-in %q", clip(pr.ResourceURI), clip(o.Name))
				}
			}
		}
	}
	text, err := p.XML()
	if err != nil {
		return nil, err
	}
	if len(text) > maxPluginXML {
		return nil, schemaErr("Plugin", "the configuration is longer than %d bytes", maxPluginXML)
	}
	return []Change{{Key: KeyPlugin + `\` + pluginKeyName(p.Name), Name: "ConfigXML", Value: registry.SZ(text)}}, nil
}

// pluginKeyName is the plug-in's name where that can be the name of a key, else a hash.
func pluginKeyName(name string) string {
	if len(name) <= 200 && !strings.ContainsAny(name, `\]`) && strings.TrimSpace(name) == name && !strings.Contains(name, "\uFFFD") {
		return name
	}
	sum := sha256.Sum256([]byte(strings.ToLower(name)))
	return hex.EncodeToString(sum[:])
}
