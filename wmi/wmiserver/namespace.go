package wmiserver

import (
	"strings"

	"github.com/casementhq/casement/cim"
)

// namespaceOf reads the namespace that a client logs in to: root\cimv2, \\host\root\cimv2, //./root/cimv2. The host is the name by
// which the client knows this machine, and of no meaning here. See [MS-WMI] 2.2.2 and 3.1.4.1.4.
func namespaceOf(resource string) (string, error) {
	if resource == "" {
		return "", refuse(cim.ErrInvalidParameter, "a login needs a namespace")
	}
	if err := within(resource, maxNamespace, "the namespace"); err != nil {
		return "", err
	}
	name := strings.ReplaceAll(resource, "/", `\`)
	if rest, ok := strings.CutPrefix(name, `\\`); ok {
		host, path, _ := strings.Cut(rest, `\`)
		if host == "" {
			return "", refuse(cim.ErrInvalidNamespace, "a host is missing after the two slashes")
		}
		name = path
	}
	name = strings.Trim(name, `\`)
	if name == "" || strings.Contains(name, `\\`) {
		return "", &cim.Error{Status: cim.ErrInvalidNamespace, Path: resource, Detail: "a part of the namespace is empty"}
	}
	if strings.ContainsAny(name, ":\"'=,\x00") {
		return "", &cim.Error{Status: cim.ErrInvalidNamespace, Path: resource, Detail: "this is not the name of a namespace"}
	}
	return name, nil
}

// childOf is the name of a namespace below parent. OpenNamespace leads to no other. See [MS-WMI] 3.1.4.3.1.
func childOf(parent, path string) (string, error) {
	name, err := namespaceOf(path)
	if err != nil {
		return "", err
	}
	if path[0] != '\\' && path[0] != '/' {
		return parent + `\` + name, nil
	}
	if len(name) > len(parent) && cim.EqualFold(name[:len(parent)], parent) && name[len(parent)] == '\\' {
		return name, nil
	}
	return "", &cim.Error{Status: cim.ErrInvalidNamespace, Path: path, Detail: "only namespaces below " + parent + " can be opened from here"}
}

// localesOf reads a list of locales, "MS_409,MS_407". What is not of that form is left out, as EstablishPosition tells clients by
// LocaleVersion 1. See [MS-WMI] 2.2.29 and 3.1.4.1.1.
func localesOf(list string) (out []string) {
	for one := range strings.SplitSeq(list, ",") {
		one = strings.ToLower(strings.TrimSpace(one))
		digits, ok := strings.CutPrefix(one, "ms_")
		if ok && digits != "" && len(digits) <= 8 && strings.Trim(digits, "0123456789abcdef") == "" && len(out) < maxLocales {
			out = append(out, one)
		}
	}
	return out
}

// maxLocales bounds the list; each locale costs a look into a namespace.
const maxLocales = 16
